# Slackwater with TLS and SASL to Kafka.
FROM rust:1.95-bookworm AS build
# The kafka-tls feature builds OpenSSL: perl and make are in this image.
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --features kafka-tls --bin slackwater \
    && install -D target/dist/slackwater /out/slackwater

FROM debian:bookworm-slim
# ca-certificates: for brokers and token introspection behind TLS. curl: for the health check.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/slackwater --create-home slackwater
COPY --from=build /out/slackwater /usr/local/bin/slackwater
# Relative paths in the config (data/log, data/feeds) are below this.
WORKDIR /var/lib/slackwater
RUN install --directory --owner slackwater data
USER slackwater
VOLUME /var/lib/slackwater/data
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "http://127.0.0.1:8787/healthz"]
ENTRYPOINT ["slackwater"]
CMD ["serve"]
