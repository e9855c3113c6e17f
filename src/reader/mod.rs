//! Pages and posts over HTTP.
