//! Handlers, one file per endpoint or two. None decides about records; `sync` does.

pub mod about;
pub mod account;
pub mod body;
pub mod devices;
pub mod escalated;
pub mod evidence;
pub mod exchange;
pub mod health;
pub mod hub;
pub mod kpis;
pub mod ledger;
pub mod live;
pub mod me;
pub mod openapi;
pub mod packs;
pub mod photos;
pub mod query;
pub mod records;
pub mod reports;
pub mod sessions;
pub mod small;
pub mod timeline;
pub mod today;
pub mod uploads;
pub mod wechat;
pub mod what_if;
