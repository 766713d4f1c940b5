//! Clients: a card for each line, in the name of the worker it names, through the gate.
//!
//! A card's id follows from its number, or from what tells two people apart, so that the same line
//! is the same card. What a file leaves empty stays as it is on the card.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{day_start, day_text};
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::admit::{self, Sender};
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::digest;
use xiangyi_sync::policy;
use xiangyi_sync::world::{Admitted, Granted, World};

use super::Options;
use super::columns::CLIENTS;
use super::people::tail;
use super::places::unit;
use super::report::{Report, Why, Word, why};
use super::table::{self, Row};
use crate::api::sessions::normal_telephone;
use crate::app::{App, StartError};
use crate::store::{Tx, lists, people, shards, views};
use crate::whole::{self, Came, Whole};

/// Cells that go onto the card as they are.
const PLAIN: [&str; 8] = [
    "number",
    "name",
    "village",
    "address",
    "guardian",
    "id_number",
    "no_id_reason",
    "background",
];
const SEXES: [(&str, &str); 3] = [("男", "male"), ("女", "female"), ("未知", "unknown")];
const TIERS: [(&str, &str); 6] = [
    ("高风险", "high_risk"),
    ("重点", "key"),
    ("一般", "general"),
    ("红色", "high_risk"),
    ("黄色", "key"),
    ("绿色", "general"),
];

/// Something to write for a line.
struct Wanted {
    line: usize,
    what: String,
    word: Word,
    /// Names of the fields that change, where there is a card already.
    fields: Why,
    item: Admitted,
}

/// A worker of the file.
struct Worker {
    id: String,
    grants: Vec<Granted>,
}

pub(super) async fn import(
    app: &App,
    rows: &[Row],
    options: &Options,
    report: &mut Report,
) -> Result<(), StartError> {
    let mut wanted: BTreeMap<Shard, Vec<Wanted>> = BTreeMap::new();
    let mut seen: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut tx = app.db.read().await?;
    for row in rows {
        match line(app, &mut tx, row, options, &mut seen).await? {
            Ok(Read::Same(what)) => report.add(row.line, Word::Unchanged, what),
            Ok(Read::Wanted(one)) => wanted.entry(one.item.shard).or_default().push(*one),
            Err(why) => report.refuse_why(row.line, row.text("number"), why),
        }
    }
    drop(tx);
    tried(app, &mut wanted, report).await?;
    if options.dry_run || !report.may_go_on(options.skip_refused) {
        return Ok(());
    }
    for (shard, list) in wanted.iter().filter(|(_, list)| !list.is_empty()) {
        written(app, *shard, list).await?;
        report.is_written = true;
    }
    Ok(())
}

/// What a line comes to.
enum Read {
    Same(String),
    Wanted(Box<Wanted>),
}

async fn line(
    app: &App,
    tx: &mut Tx,
    row: &Row,
    options: &Options,
    seen: &mut BTreeMap<Uuid, usize>,
) -> Result<Result<Read, Why>, StartError> {
    let worker = match worker(app, tx, row).await? {
        Ok(worker) => worker,
        Err(why) => return Ok(Err(why)),
    };
    let read = place(app, row, &worker, options).and_then(|unit| Ok((unit, body(row)?)));
    let (unit, body) = match read {
        Ok(read) => read,
        Err(why) => return Ok(Err(why)),
    };
    let id = id_of(&unit, row);
    if let Some(first) = seen.insert(id, row.line) {
        return Ok(Err(why(
            format!("与第 {first} 行是同一个人；不是的话请写编号"),
            format!("the same person as in line {first}; if not, give numbers"),
        )));
    }
    let shard = region::shard_of(&unit).unwrap_or(Shard(0));
    let stored = stored(app, tx, shard, id).await?;
    let what = id.to_string();
    let mut fields = Why::default();
    let (mutation, word) = match stored {
        None => (mutation(id, &unit, Op::Create, Some(body), None), Word::New),
        Some((rev, card)) => {
            let assigned = World::assigned(&card, app.clock.now());
            if !assigned.contains(&worker.id) {
                return Ok(Err(why(
                    "这张卡现由别的社工负责；换人请用 xiangyi move client",
                    "another worker has this client now: hand over with xiangyi move client",
                )));
            }
            let set = changed(&card, &body);
            if set.is_empty() {
                return Ok(Ok(Read::Same(what)));
            }
            fields = names(&set);
            let patch = mutation(id, &unit, Op::Patch, None, Some((rev, set)));
            (patch, Word::Changed)
        }
    };
    let item = admitted(app, &worker, mutation);
    let line = row.line;
    Ok(Ok(Read::Wanted(Box::new(Wanted {
        line,
        what,
        word,
        fields,
        item,
    }))))
}

async fn worker(app: &App, tx: &mut Tx, row: &Row) -> Result<Result<Worker, Why>, StartError> {
    let telephone = normal_telephone(row.text("worker"));
    let key = app.sealer.index("telephone", &telephone);
    let Some(person) = people::by_telephone(tx, &key).await? else {
        let end = tail(&telephone);
        return Ok(Err(why(
            format!("没有人用社工的号码 {end}，请先导入人员"),
            format!("nobody has the worker's number {end}: import people first"),
        )));
    };
    let grants = views::grants(tx, &person.id).await?;
    Ok(Ok(Worker {
        id: person.id,
        grants,
    }))
}

/// The unit of a line: its own, or the only one where the worker serves.
fn place(app: &App, row: &Row, worker: &Worker, options: &Options) -> Result<String, Why> {
    let now = app.clock.now();
    let serves = |grant: &&Granted| {
        matches!(grant.role, Role::Worker | Role::StationLead) && grant.holds_at(now)
    };
    let units: BTreeSet<&str> = worker
        .grants
        .iter()
        .filter(serves)
        .map(|grant| grant.unit.as_str())
        .collect();
    let code = match row.get("unit") {
        Some(code) => code,
        None if units.len() == 1 => units.first().copied().unwrap_or_default(),
        None => {
            return Err(why(
                "这位社工不止一个站点或没有站点，请写单位代码",
                "the worker serves at no station or at several: give the unit",
            ));
        }
    };
    unit(app, code, options)?;
    if !units.iter().any(|unit| code.starts_with(unit)) {
        return Err(why(
            format!("这位社工不在 {code} 工作"),
            format!("the worker does not serve at {code}"),
        ));
    }
    Ok(code.to_owned())
}

fn coded(row: &Row, column: &str, words: &[(&str, &str)]) -> Option<Value> {
    let text = row.get(column)?;
    let word = words
        .iter()
        .find(|(zh, _)| *zh == text || format!("{zh}性") == text);
    Some(word.map_or(text, |(_, code)| code).into())
}

fn body(row: &Row) -> Result<Map<String, Value>, Why> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    for name in PLAIN {
        put(name, row.get(name).map(Value::from));
    }
    put("sex", coded(row, "sex", &SEXES));
    put("tier", coded(row, "tier", &TIERS));
    for name in ["born_on", "next_due_on"] {
        put(name, day(row, name)?);
    }
    put(
        "categories",
        row.get("categories").map(categories).transpose()?,
    );
    if let Some(telephone) = row.get("contact_telephone") {
        let relation = row.get("contact_relation").unwrap_or("家人");
        let contact = json!([{ "relation": relation, "telephone": telephone }]);
        put("contacts", Some(contact));
    }
    Ok(body)
}

/// Codes of the catalogue for its words; a report counts nobody under a word of one's own.
fn categories(text: &str) -> Result<Value, Why> {
    let known = &policy::catalogue().client_categories;
    let words = text.split(['、', ';', '；', '，', ',', ' ']);
    let words = words.filter(|word| !word.is_empty());
    let code = |word: &str| {
        let found = known.iter().find(|one| one.zh == word || one.code == word);
        found.map(|one| one.code.as_str()).ok_or_else(|| {
            why(
                format!("没有“{word}”这个类别"),
                format!("there is no category {word}"),
            )
        })
    };
    let codes: Result<Vec<&str>, Why> = words.map(code).collect();
    Ok(codes?.into())
}

fn day(row: &Row, column: &str) -> Result<Option<Value>, Why> {
    let Some(text) = row.get(column) else {
        return Ok(None);
    };
    let day = table::day(text).ok_or_else(|| {
        why(
            format!("日期“{text}”看不懂，请写成 1950-01-05"),
            format!("{column} is not a day such as 1950-01-05"),
        )
    })?;
    Ok(Some(day_text(day_start(day)).into()))
}

fn id_of(unit: &str, row: &Row) -> Uuid {
    let parts: Vec<&[u8]> = match row.get("number") {
        Some(number) => vec![unit.as_bytes(), b"number", number.as_bytes()],
        None => {
            let told = ["name", "born_on", "village", "id_number"];
            let told = told.iter().map(|name| row.text(name).as_bytes());
            std::iter::once(unit.as_bytes()).chain(told).collect()
        }
    };
    digest::derived_id("import-client", &parts)
}

/// A card as it is stored whole, with its rev.
async fn stored(
    app: &App,
    tx: &mut Tx,
    shard: Shard,
    id: Uuid,
) -> Result<Option<(i64, Value)>, StartError> {
    let vault = format!("vault:{shard}");
    let Some(home) = shards::streams(tx, shard, &[&vault]).await?.pop() else {
        return Ok(None);
    };
    let copies = lists::one(tx, &app.sealer, shard.0, id).await?;
    let whole = copies.into_iter().find(|copy| copy.stream == home.id);
    let read = |copy: lists::Listed| Some((copy.rev, serde_json::from_str(&copy.body).ok()?));
    Ok(whole.and_then(read))
}

/// Members of the card that the file says otherwise, by their pointers.
fn changed(card: &Value, body: &Map<String, Value>) -> Map<String, Value> {
    let differs = |(name, value): &(&String, &Value)| card.get(name.as_str()) != Some(*value);
    let members = body.iter().filter(differs);
    members
        .map(|(name, value)| (format!("/{name}"), value.clone()))
        .collect()
}

/// The fields of a change by their columns: a number that is another client's shows here.
fn names(set: &Map<String, Value>) -> Why {
    let plain = set.keys().map(|pointer| pointer.trim_start_matches('/'));
    let named = plain.map(|name| {
        let zh = match CLIENTS.iter().find(|column| column.name == name) {
            Some(column) => column.zh,
            None if name == "contacts" => "联系人",
            None => name,
        };
        (zh, name)
    });
    let (zh, en): (Vec<&str>, Vec<&str>) = named.unzip();
    why(zh.join("、"), en.join(", "))
}

fn mutation(
    id: Uuid,
    unit: &str,
    op: Op,
    body: Option<Map<String, Value>>,
    patch: Option<(i64, Map<String, Value>)>,
) -> Mutation {
    let (base, set) = patch.map_or((None, Map::new()), |(rev, set)| (Some(rev), set));
    Mutation {
        n: 0,
        op,
        kind: Kind::Client.name().to_owned(),
        unit: unit.to_owned(),
        id,
        base,
        occurred_at: None,
        monotonic_ms: None,
        boot: None,
        needs: Vec::new(),
        body: body.map(Value::Object),
        set,
        unset: Vec::new(),
        add: Map::new(),
        reason: None,
        refusal: None,
    }
}

/// Admitted as a REST write of the worker is, under a device of its own.
fn admitted(app: &App, worker: &Worker, mutation: Mutation) -> Admitted {
    let sent = json!({ "body": mutation.body, "set": mutation.set }).to_string();
    let key = format!(
        "import:{}:{}",
        mutation.id,
        hex::encode(digest::as_sent(&sent))
    );
    let sender = Sender {
        person: worker.id.clone(),
        device: device_of(&worker.id),
        clock: None,
        received_at: app.clock.now(),
    };
    admit::admit_built(mutation, key, &sent, &sender, &app.writer.packs())
}

/// Under this name the imports in a person's name are numbered.
fn device_of(person: &str) -> String {
    format!("d-import-{person}")
}

fn whole_of(list: &[Wanted]) -> Whole {
    let people: BTreeSet<&str> = list.iter().map(|one| one.item.person.as_str()).collect();
    let device = |person: &str| (device_of(person), person.to_owned());
    Whole {
        devices: people.into_iter().map(device).collect(),
        items: list.iter().map(|one| one.item.clone()).collect(),
        ..Whole::default()
    }
}

/// Asks the gate about every line, keeps nothing, and takes out what it refuses.
async fn tried(
    app: &App,
    wanted: &mut BTreeMap<Shard, Vec<Wanted>>,
    report: &mut Report,
) -> Result<(), StartError> {
    for (shard, list) in wanted {
        let came = whole::write(app, *shard, &whole_of(list), &|_| false).await?;
        let mut outcomes = came.outcomes.iter();
        list.retain(
            |one| match outcomes.next().map(|outcome| taken(outcome, one.word)) {
                Some(Ok(word)) => {
                    let told = match word {
                        Word::Changed | Word::Held => one.fields.clone(),
                        _ => Why::default(),
                    };
                    report.add_told(one.line, word, one.what.as_str(), told);
                    word != Word::Unchanged
                }
                Some(Err(why)) => {
                    report.refuse_why(one.line, one.what.as_str(), why);
                    false
                }
                None => false,
            },
        );
    }
    Ok(())
}

/// Writes what the gate takes; were it to refuse a line now, none is written.
async fn written(app: &App, shard: Shard, list: &[Wanted]) -> Result<(), StartError> {
    let all = |came: &Came| {
        came.outcomes
            .iter()
            .all(|outcome| taken(outcome, Word::New).is_ok())
    };
    let came = whole::write(app, shard, &whole_of(list), &all).await?;
    if all(&came) {
        return Ok(());
    }
    Err(
        "县里刚才有变化，什么也没有写入，请再试。the county changed meanwhile and nothing was \
         written: again"
            .into(),
    )
}

fn taken(outcome: &Outcome, word: Word) -> Result<Word, Why> {
    let Outcome::Verdict(verdict) = outcome else {
        return Err(why(
            "这一行用别的内容导入过",
            "the line was imported with other content",
        ));
    };
    let last = verdict.was.as_deref().unwrap_or(verdict);
    match last.verdict {
        VerdictName::Accepted | VerdictName::Merged | VerdictName::Held
            if verdict.verdict == VerdictName::Duplicate =>
        {
            Ok(Word::Unchanged)
        }
        VerdictName::Accepted | VerdictName::Merged => Ok(word),
        VerdictName::Held => Ok(Word::Held),
        _ => Err(reason(last)),
    }
}

/// Why the gate does not take it, in its own words.
fn reason(verdict: &Verdict) -> Why {
    if let Some(error) = verdict.errors.first() {
        let (zh, en) = (&error.detail, &error.detail_en);
        return why(
            format!("{} {zh}", error.pointer),
            format!("{en} ({})", error.code),
        );
    }
    if verdict.verdict == VerdictName::Conflict {
        return why("别人刚改过这张卡", "somebody changed the card meanwhile");
    }
    let rule = verdict.rule.as_ref().map_or("", |rule| rule.id.as_str());
    let (zh, en) = (verdict.message.clone(), verdict.message_en.clone());
    why(
        format!("{rule} {}", zh.unwrap_or_default()),
        en.unwrap_or_default(),
    )
}
