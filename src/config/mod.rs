//! The configuration file as written, turned into what each module means by it.
