# syntax=docker/dockerfile:1
# Slackwater with TLS and SASL to Kafka.
#
#     docker build --tag slackwater:local .
#     docker run --publish 127.0.0.1:8787:8787 --volume slackwater:/var/lib/slackwater/data slackwater:local
FROM rust:1.95-bookworm AS build
# The kafka-tls feature builds OpenSSL: perl and make are in this image.
WORKDIR /src

# What others wrote is a layer of its own, built against empty sources: it changes with these files alone.
COPY Cargo.toml Cargo.lock ./
COPY crates/cluster/Cargo.toml crates/cluster/
COPY crates/engine/Cargo.toml crates/engine/
COPY crates/fediverse/Cargo.toml crates/fediverse/
COPY crates/order/Cargo.toml crates/order/
RUN mkdir -p src benches crates/cluster/src crates/engine/src crates/fediverse/src crates/order/src tests/attack \
    && touch src/lib.rs crates/cluster/src/lib.rs crates/engine/src/lib.rs crates/fediverse/src/lib.rs crates/order/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs tests/attack/main.rs > /dev/null \
    && for crate in . crates/cluster crates/engine crates/fediverse crates/order; do \
        sed --quiet '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"/\1/p' $crate/Cargo.toml \
        | while read -r bench; do mkdir -p $crate/benches && touch $crate/benches/$bench.rs; done; \
    done
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --profile dist --locked --features kafka-tls --bin slackwater

# And what the binary is made of. Nothing else changes it: no README, no document, no test.
COPY slackwater.toml ./
COPY crates crates
COPY src src
# Cargo goes by the times of files, and those of the empty sources are later.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    touch src/lib.rs src/main.rs crates/*/src/lib.rs \
    && cargo build --profile dist --locked --features kafka-tls --bin slackwater

FROM debian:bookworm-slim
# ca-certificates: for brokers and token introspection behind TLS. curl: for the health check.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/slackwater --create-home slackwater
# Every setting may also come from the environment, over this: docs/operating.md.
COPY <<EOF /etc/slackwater/slackwater.toml
[http]
# All of the container: which of its ports can be reached, and from where, is said when it is run.
listen = "0.0.0.0:8787"
[auth]
# Made at the first start, shown once in the log, and kept in the volume.
service_tokens = ["made:/var/lib/slackwater/data/token"]
EOF
# Relative paths in the config (data/log, data/feeds) are below this.
WORKDIR /var/lib/slackwater
RUN install --directory --owner slackwater data
COPY --from=build /src/target/dist/slackwater /usr/local/bin/slackwater
USER slackwater
VOLUME /var/lib/slackwater/data
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "http://127.0.0.1:8787/healthz"]
ENTRYPOINT ["slackwater"]
CMD ["serve", "--config", "/etc/slackwater/slackwater.toml"]
