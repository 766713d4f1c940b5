//! Trials that run inside this server, and their reports while it lives.
//!
//! One at a time, in memory: a trial changes nothing and can be asked for again, also after a
//! restart. A node knows only its own.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use xiangyi_proto::limits::{WHAT_IF_KEPT_MAX, WHAT_IF_RUNNING_MAX};

use super::what_if::{Broken, Period, Progress, Report, WhatIf};
use crate::tasks;

/// The trials of this node, oldest first.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    jobs: BTreeMap<u64, Arc<Job>>,
}

/// A trial.
#[derive(Debug)]
pub struct Job {
    pub id: String,
    pub region: String,
    pub version: i64,
    pub period: Period,
    progress: Arc<Progress>,
    end: Mutex<Option<End>>,
}

#[derive(Debug)]
enum End {
    Done(Box<Report>),
    Cancelled,
    Failed,
}

/// A trial as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: String,
    region: String,
    version: i64,
    period: Period,
    /// `running`, `done`, `cancelled` or `failed`.
    state: &'static str,
    judged: u64,
    mailboxes_done: u64,
    mailboxes: u64,
    report: Option<Report>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Jobs {
    /// Whether as many run as may.
    pub fn is_busy(&self) -> bool {
        open(&self.0).is_busy()
    }

    /// Starts a trial; none when as many run as may.
    pub fn start(&self, id: String, version: i64, what: WhatIf) -> Option<Arc<Job>> {
        let mut kept = open(&self.0);
        if kept.is_busy() {
            return None;
        }
        while kept.jobs.len() >= WHAT_IF_KEPT_MAX {
            kept.jobs.pop_first();
        }
        let job = Arc::new(Job {
            id,
            region: what.region.clone(),
            version,
            period: what.period.clone(),
            progress: Arc::clone(&what.progress),
            end: Mutex::default(),
        });
        kept.next += 1;
        let number = kept.next;
        kept.jobs.insert(number, Arc::clone(&job));
        drop(kept);
        let own = Arc::clone(&job);
        tasks::spawn("what-if", async move {
            let end = match what.run().await {
                Ok(report) => End::Done(Box::new(report)),
                Err(Broken::Cancelled) => End::Cancelled,
                Err(why) => {
                    tracing::error!(job = own.id, ?why, "a trial of a rule pack failed");
                    End::Failed
                }
            };
            *open(&own.end) = Some(end);
        });
        Some(job)
    }

    /// A trial of this node.
    pub fn get(&self, id: &str) -> Option<Arc<Job>> {
        let kept = open(&self.0);
        kept.jobs.values().find(|job| job.id == id).cloned()
    }

    /// Ends a trial if it runs, and forgets it.
    pub fn cancel(&self, id: &str) {
        let mut kept = open(&self.0);
        kept.jobs.retain(|_, job| {
            if job.id == id {
                job.progress.cancelled.store(true, Ordering::Relaxed);
            }
            // One that has not noticed yet still counts as running.
            job.id != id || job.is_running()
        });
    }
}

impl Kept {
    fn is_busy(&self) -> bool {
        let running = self.jobs.values().filter(|job| job.is_running());
        running.count() >= WHAT_IF_RUNNING_MAX
    }
}

impl Job {
    fn is_running(&self) -> bool {
        open(&self.end).is_none()
    }

    /// How it stands, for somebody who may read narratives, or for another.
    pub fn shown(&self, reads_narratives: bool) -> Shown {
        let meant = |report: &Report| match reads_narratives {
            true => report.clone(),
            false => report.without_records(),
        };
        let end = open(&self.end);
        let cancelled = self.progress.cancelled.load(Ordering::Relaxed);
        let (state, report) = match &*end {
            None if cancelled => ("cancelled", None),
            None => ("running", None),
            Some(End::Done(report)) => ("done", Some(meant(report))),
            Some(End::Cancelled) => ("cancelled", None),
            Some(End::Failed) => ("failed", None),
        };
        Shown {
            id: self.id.clone(),
            region: self.region.clone(),
            version: self.version,
            period: self.period.clone(),
            state,
            judged: self.progress.judged.load(Ordering::Relaxed),
            mailboxes_done: self.progress.done.load(Ordering::Relaxed),
            mailboxes: self.progress.total.load(Ordering::Relaxed),
            report,
        }
    }
}
