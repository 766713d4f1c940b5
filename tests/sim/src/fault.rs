//! Planted faults: each breaks one promise of the store or of the gate, and a law must notice.
//!
//! They tamper at the boundary only: with what is loaded, written or answered. The rules run as
//! they are shipped.

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The store forgets which contents it has seen.
    ContentsForgotten,
    /// The store forgets which numbers it has answered.
    NumbersForgotten,
    /// Verdicts are committed, the rows of some records are not.
    VerdictsAlone,
    /// Phones are answered although the commit failed.
    AnsweredTooEarly,
    /// Everybody in a line gets the same number.
    RanksReused,
    /// Places are counted as they stood some commits ago.
    CapacityStale,
    /// Items that wait are not loaded.
    HeldLeftOut,
    /// The line of a slot is not loaded.
    LineLeftOut,
    /// Photographs that are complete are not loaded.
    PhotosLeftOut,
    /// The page is read from before the push.
    PageBeforePush,
    /// A reply now and then carries an older cursor.
    CursorBack,
    /// Collected tombstones do not raise the floor.
    FloorForgotten,
    /// A row that leaves a stream leaves nothing behind.
    TombstonesLost,
    /// Rows that leave are not taken out of the sums.
    SumsForgotten,
    /// Streams that left the view are not named.
    LeaveForgotten,
    /// An ended grant still opens its streams.
    GrantsNeverEnd,
    /// Timers are lost in a crash.
    TimersLost,
    /// Whoever shows a proof is believed.
    ProofsUnchecked,
    /// What is not sent once more with the page that tells of a restore is forgotten.
    SentByCursor,
    /// Phones are told that a backup holds what none does.
    DurableTooEarly,
    /// A restore begins no new epoch.
    EpochKept,
    /// The store forgets under which keys a REST write came.
    KeysForgotten,
    /// Facts are not loaded.
    FactsLeftOut,
    /// Refusals are not loaded.
    RefusalsLeftOut,
    /// What was held stays held when it is over.
    HeldKept,
    /// Facts of a record's former revision stay.
    FactsKept,
    /// What a record no longer counts for is not taken off the day.
    CountsKept,
    /// In which counties a person has a mailbox is not written.
    MailboxesForgotten,
    /// Which records name a photograph is not written.
    PhotoRefsForgotten,
    /// A page says that it is the last whatever is left.
    MoreForgotten,
    /// Others than the owner get the sealed part.
    SealedForAll,
    /// Whoever leaves a place keeps it in the table.
    LeaversKept,
    /// The text of a refused item cannot be judged again, whatever a reviewer says.
    RefusedForGood,
}

impl Fault {
    /// Every fault.
    pub const ALL: &'static [Self] = &[
        Self::ContentsForgotten,
        Self::NumbersForgotten,
        Self::VerdictsAlone,
        Self::AnsweredTooEarly,
        Self::RanksReused,
        Self::CapacityStale,
        Self::HeldLeftOut,
        Self::LineLeftOut,
        Self::PhotosLeftOut,
        Self::PageBeforePush,
        Self::CursorBack,
        Self::FloorForgotten,
        Self::TombstonesLost,
        Self::SumsForgotten,
        Self::LeaveForgotten,
        Self::GrantsNeverEnd,
        Self::TimersLost,
        Self::ProofsUnchecked,
        Self::SentByCursor,
        Self::DurableTooEarly,
        Self::EpochKept,
        Self::KeysForgotten,
        Self::FactsLeftOut,
        Self::RefusalsLeftOut,
        Self::HeldKept,
        Self::FactsKept,
        Self::CountsKept,
        Self::MailboxesForgotten,
        Self::PhotoRefsForgotten,
        Self::MoreForgotten,
        Self::SealedForAll,
        Self::LeaversKept,
        Self::RefusedForGood,
    ];
}
