//! Every limit, with its arithmetic. Published to phones in `limits`.

use serde::{Deserialize, Serialize};

/// Days that a phone keeps what no backup holds yet, to send it again after a restore.
pub const JOURNAL_DAYS: i64 = 30;
/// Mutations in one push: a worker's week (6 contacts a day × 5 days × 3 records, rounded up)
/// twice over.
pub const PUSH_ITEMS_MAX: usize = 200;
/// Bytes of one push after inflating: 200 items of 1.3 KB.
pub const PUSH_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one mutation: 4,000 + 4,500 Chinese characters at 3 bytes would pass it, a full form
/// does not come near; two thirds of all visits are under 1 KB.
pub const ITEM_BYTES_MAX: usize = 16 * 1024;
/// Uncompressed bytes of one page.
pub const PAGE_BYTES_MAX: usize = 512 * 1024;
/// Uncompressed bytes of a page when the phone names no number: 32 KiB at 40 kbit/s is 1.5 s
/// after compression by 4.
pub const PAGE_BYTES_DEFAULT: usize = 32 * 1024;
/// Bytes of a request body after inflating, of any route but photographs.
pub const INFLATED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that may inflate without a look at the ratio.
pub const INFLATE_FREE_BYTES: usize = 64 * 1024;
/// Highest ratio of inflated to sent bytes beyond the free part; JSON reaches 1:20.
pub const INFLATE_RATIO_MAX: usize = 64;
/// Nesting of JSON; the deepest record has 6.
pub const JSON_DEPTH_MAX: usize = 16;
/// Photographs of one visit.
pub const PHOTOS_PER_VISIT_MAX: u32 = 9;
/// Bytes of one photograph: the phone aims at 200 KB, an uncompressed album picture has 3-6 MB.
pub const PHOTO_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pixels of a photograph's longer side.
pub const PHOTO_SIDE_MAX: u32 = 12_000;
/// Pixels of one photograph: the largest phone cameras have 50 million in full mode.
pub const PHOTO_PIXELS_MAX: u64 = 52_000_000;
/// Days an unfinished upload is kept: a week in the hills without a signal.
pub const UPLOAD_DAYS: i64 = 7;
/// Unfinished uploads of one person: that week's 6 contacts a day × 5 days × 9 photographs, rounded
/// up.
pub const UPLOADS_OPEN_MAX: i64 = 300;
/// Bytes of one person's unfinished uploads and of what was sent in 24 hours: that week at 1 MB
/// each, where a phone compresses badly, and 30 album pictures as they are.
pub const UPLOAD_DAY_BYTES_MAX: i64 = 512 * 1024 * 1024;
/// Held items of one device.
pub const HELD_PER_DEVICE_MAX: usize = 1_000;
/// Days an item may wait for a record that never comes.
pub const HELD_MISSING_DAYS: i64 = 14;
/// Days after which an undecided hold goes to the bureau.
pub const HELD_REVIEW_ESCALATES_DAYS: i64 = 10;
/// Hours for which work under an ended grant is still accepted.
pub const GRANT_GRACE_HOURS: i64 = 72;
/// Minutes by which a corrected clock may still be ahead.
pub const AHEAD_MINUTES_MAX: i64 = 10;
/// Months of a client's visits that an assigned worker carries.
pub const CLIENT_VISIT_MONTHS: i64 = 24;
/// Seconds a long poll may last; below the 60 s at which carriers cut.
pub const WAIT_SECONDS_MAX: u64 = 25;
/// Waking hours in which an offered place must be accepted.
pub const OFFER_WAKING_HOURS: i64 = 6;
/// Least minutes for an offered place.
pub const OFFER_MINUTES_MIN: i64 = 30;
/// Incidents that one person's words may open in a day of a county: a week offline has some 30
/// contacts, and a third of them naming danger is more than anybody has met. What is heard beyond
/// is joined to one of these.
pub const INCIDENTS_PER_PERSON_DAY: usize = 10;
/// Further sources that one incident takes in: half a push of 200 items.
pub const INCIDENT_SOURCES_MAX: usize = 100;
/// Bytes of their texts: a quarter of a push of 256 KiB, so that a push fills four at most.
pub const INCIDENT_SOURCES_BYTES: usize = 64 * 1024;
/// Days before its step on which somebody may have been told of an incident: none is worked on for
/// longer than a year.
pub const INCIDENT_TOLD_DAYS_MAX: i64 = 366;
/// Mutations one commit may carry: 500 keep a commit under 20 ms on two cores.
pub const COMMIT_ITEMS_MAX: usize = 500;
/// Rows of one REST list.
pub const LIST_ROWS_MAX: i64 = 200;
/// Months of the refusal ledger in one answer: two years, to be compared.
pub const LEDGER_MONTHS_MAX: i64 = 24;
/// Streams one view may hold: 40 stations of the largest county, their cards, and a dozen more.
pub const VIEW_STREAMS_MAX: usize = 128;
/// Bytes of a rule pack as canonical JSON: half of the largest page, which has to carry its row;
/// the shipped list has 80 KB.
pub const PACK_BYTES_MAX: usize = PAGE_BYTES_MAX / 2;
/// Rules of one pack: the shipped list has 124 and the province's real one may have twice as many.
pub const RULES_MAX: usize = 300;
/// Steps that one condition may take on the largest record of a kind: two loops over 60
/// participants within each other are 3,600 rounds of some 25 steps. A step was 27 ns.
pub const RULE_STEPS_MAX: u64 = 100_000;
/// Steps that all conditions of a pack may take on the largest record of a kind: 8 ms. Such records
/// are of 16 KB, and a push brings 16 of them. The shipped list takes 59,140 on an activity.
pub const KIND_STEPS_MAX: u64 = 300_000;
/// Drafts of rule packs that one region keeps; of more, the lowest version goes.
pub const PACK_DRAFTS_MAX: usize = 20;
/// How far above the published version a proposed one may be: a slip such as 20261124 would leave
/// no number for the next.
pub const VERSIONS_AHEAD_MAX: i64 = 1_000;
/// Days that one trial of a rule pack may cover: a year and its leap day.
pub const WHAT_IF_DAYS_MAX: i64 = 366;
/// Records that a trial's report lists; all are counted. A reviewer reads no more.
pub const WHAT_IF_LISTED_MAX: usize = 1_000;
/// Steps in which a trial's numbers are told to who may not read narratives: ten records, so that a
/// draft about one of them changes no number but by chance.
pub const WHAT_IF_CELL: u64 = 10;
/// Trials that one node runs at a time; each takes a third of a core.
pub const WHAT_IF_RUNNING_MAX: usize = 1;
/// Reports that one node keeps in memory: 16 of 1,000 lines are 2 MB.
pub const WHAT_IF_KEPT_MAX: usize = 16;
/// Bytes of a rendition for a list: a page of twenty loads in 32 s at 40 kbit/s.
pub const THUMB_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a photograph that is sent whole in one form.
pub const PHOTO_FORM_BYTES_MAX: usize = 1024 * 1024;
/// Milliseconds between polls that a phone is asked to keep when nothing presses.
pub const POLL_MS: i64 = 900_000;
/// Milliseconds after which an unanswered item is worth sending again.
pub const RETRY_MS: i64 = 60_000;

/// The limits a phone must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Limits {
    pub push_items: usize,
    pub push_bytes: usize,
    pub item_bytes: usize,
    pub page_bytes: usize,
    pub json_depth: usize,
    pub photos_per_visit: u32,
    pub photo_bytes: usize,
    pub held_items: usize,
}

/// The limits in force.
pub const LIMITS: Limits = Limits {
    push_items: PUSH_ITEMS_MAX,
    push_bytes: PUSH_BYTES_MAX,
    item_bytes: ITEM_BYTES_MAX,
    page_bytes: PAGE_BYTES_MAX,
    json_depth: JSON_DEPTH_MAX,
    photos_per_visit: PHOTOS_PER_VISIT_MAX,
    photo_bytes: PHOTO_BYTES_MAX,
    held_items: HELD_PER_DEVICE_MAX,
};
