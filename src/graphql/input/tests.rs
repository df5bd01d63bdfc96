//! Filters, orders and ranges as callers write them.
