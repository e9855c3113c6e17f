//! Requests that another node of the cluster answers, passed on to it.

mod hop;
