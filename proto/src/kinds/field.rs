//! One field of a record: where it is, what it holds, who sees it, how it merges.

/// A row of a kind's field table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// JSON pointer in the body; `-` stands for each element of a list.
    pub path: &'static str,
    pub ty: Type,
    /// The widest reader; whole copies show everything.
    pub see: See,
    pub merge: Merge,
    pub required: bool,
    /// Written by the server only; a phone that sends it is told so.
    pub derived: bool,
    /// Confidential: sealed at rest, never in a shared stream.
    pub starred: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// Free text of at most so many characters.
    Text(u32),
    /// A code of an open list (catalogues): at most 64 of `[a-z0-9_.:-]` or Chinese characters.
    Word,
    /// A code of a closed list.
    Code(&'static [&'static str]),
    /// An integer in a closed range.
    Int(i64, i64),
    Flag,
    /// Unix milliseconds.
    Time,
    /// `YYYY-MM-DD`, UTC+8.
    Day,
    /// The id of another record in the same shard.
    Ref,
    /// A person id.
    Person,
    /// A region code.
    Region,
    /// 64 lower-case hexadecimal digits.
    Sha256,
    /// A list of at most so many elements; its element is described under `path/-`.
    List(u32),
    /// An object; its members are described under `path/name`.
    Map,
}

/// The widest reader of a field or of a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum See {
    /// Everybody in the county who is signed in.
    County,
    /// The station's workers and lead, and the hub.
    Station,
    /// The station's lead: cards without narrative.
    Card,
    /// Only whole copies.
    Whole,
}

/// What happens when a patch meets a later change of the same field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Both are shown to the person: verdict `conflict`.
    Ask,
    /// The stored value stays.
    Theirs,
    /// The author's value wins.
    MineIfAuthor,
    /// Elements are united.
    AddWins,
    /// Cannot change after creation.
    Fixed,
}

/// A field that only whole copies show and whose conflicts are asked about.
pub const fn f(path: &'static str, ty: Type) -> Field {
    Field {
        path,
        ty,
        see: See::Whole,
        merge: Merge::Ask,
        required: false,
        derived: false,
        starred: false,
    }
}

impl Field {
    /// Must be present and not null.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Shown in station streams and to the hub.
    pub const fn station(mut self) -> Self {
        self.see = See::Station;
        self
    }

    /// Shown on the lead's cards.
    pub const fn card(mut self) -> Self {
        self.see = See::Card;
        self
    }

    /// Shown to everybody signed in in the county.
    pub const fn county(mut self) -> Self {
        self.see = See::County;
        self
    }

    /// Written by the server only.
    pub const fn derived(mut self) -> Self {
        self.derived = true;
        self.merge = Merge::Theirs;
        self
    }

    /// Confidential: sealed at rest, never in a shared stream.
    pub const fn starred(mut self) -> Self {
        self.starred = true;
        self.see = See::Whole;
        self
    }

    /// Sealed at rest though a lead's card shows it.
    pub const fn sealed_card(mut self) -> Self {
        self.starred = true;
        self.see = See::Card;
        self
    }

    /// Sets the merge policy.
    pub const fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// The author's value wins.
    pub const fn mine(self) -> Self {
        self.merge(Merge::MineIfAuthor)
    }

    /// Elements are united.
    pub const fn add_wins(self) -> Self {
        self.merge(Merge::AddWins)
    }

    /// Cannot change after creation.
    pub const fn fixed(self) -> Self {
        self.merge(Merge::Fixed)
    }
}
