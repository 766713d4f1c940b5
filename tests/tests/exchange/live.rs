//! Live events: a line that breaks loses nothing, one whose right ends is closed, and nobody gets
//! a stream that is not in view.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_tests::actor::Actor;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;

use super::{COUNTY, HOUR, STATION, check_in, id, with};

/// How long an event may take; a loaded machine needs a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line of events.
struct Line {
    response: reqwest::Response,
    read: Vec<u8>,
}

/// An event as it came.
#[derive(Debug, Default)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Line {
    async fn open(actor: &Actor, query: &str, last: Option<&str>) -> Self {
        let mut request = actor.request(Method::GET, &format!("/v1/live{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("answered");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: Vec::new(),
        }
    }

    /// The next event; none when the line has ended.
    async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.event())
            .await
            .expect("an event in time")
    }

    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let text: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(parsed(&String::from_utf8(text).expect("UTF-8")));
            }
            let part = self.response.chunk().await.expect("the line holds")?;
            self.read.extend_from_slice(&part);
        }
    }

    /// The next change; pings are passed over.
    async fn change(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("the line goes on");
            if event.name != "ping" {
                assert_eq!(event.name, "change", "{event:?}");
                return event;
            }
        }
    }

    /// The rest of the line: the events until it ends, which it must do in time.
    async fn rest(mut self) -> Vec<Event> {
        let mut rest = Vec::new();
        let all = async {
            while let Some(event) = self.event().await {
                rest.push(event);
            }
        };
        let ended = tokio::time::timeout(PATIENCE, all).await;
        ended.expect("the line ends in time");
        rest
    }
}

fn parsed(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        match line.split_once(": ").or_else(|| line.split_once(':')) {
            Some(("event", name)) => name.clone_into(&mut event.name),
            Some(("id", id)) => id.clone_into(&mut event.id),
            Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
            _ => {}
        }
    }
    event
}

on_both!(
    a_broken_line_resumes_with_exactly_what_was_missed,
    |engine| {
        let harness = Harness::start(engine).await;
        let phone = harness.worker(1).await.phone().await;
        let hub = harness.hub().await;
        phone.push_one(check_in(1, 1)).await;
        let query = format!("?streams={STATION}");
        let mut line = Line::open(&hub, &query, None).await;
        let first = line.change().await;
        assert_eq!(
            (&first.data["id"], &first.data["op"]),
            (&json!(id(1)), &json!("put"))
        );
        assert_eq!(first.data["shard"], COUNTY.to_string());
        assert_eq!(
            first.data["author_name"],
            phone.actor.signed_in().person.name
        );
        assert!(
            !first.id.is_empty(),
            "the last of a group carries the cursor"
        );
        drop(line);

        phone.push(&[check_in(2, 2), check_in(3, 3)]).await;
        // What the browser says by itself goes before what the page once asked.
        let mut line = Line::open(&hub, &format!("{query}&cursor=*"), Some(&first.id)).await;
        let (second, third) = (line.change().await, line.change().await);
        assert_eq!(
            (&second.data["id"], &third.data["id"]),
            (&json!(id(2)), &json!(id(3)))
        );
        phone.push_one(check_in(4, 4)).await;
        let fourth = line.change().await;
        assert_eq!(fourth.data["id"], id(4), "nothing comes twice");
        drop(line);
        // The same by the query, from the middle.
        let mut line = Line::open(&hub, &format!("{query}&cursor={}", third.id), None).await;
        assert_eq!(line.change().await.data["id"], id(4));
    }
);

on_both!(
    a_line_is_closed_when_the_grant_or_the_session_ends,
    |engine| {
        let harness = Harness::start(engine).await;
        let phone = harness.worker(1).await.phone().await;
        let (hub, reviewer) = (harness.hub().await, harness.reviewer(1).await);
        phone.push_one(check_in(1, 1)).await;
        let query = format!("?streams={STATION}");
        let mut lines = [
            Line::open(&hub, &query, None).await,
            Line::open(&reviewer, &query, None).await,
        ];
        for line in &mut lines {
            assert_eq!(line.change().await.data["id"], id(1));
        }
        harness.revoke("p-officer-1", "hub_officer", "430121").await;
        assert_eq!(
            reviewer.call(Method::DELETE, "/v1/sessions").await.status,
            204
        );
        // The commit rings; what it brought is for neither of them.
        phone.push_one(check_in(2, 2)).await;
        for line in lines {
            let mut rest = line.rest().await;
            let last = rest.pop().expect("an event");
            assert_eq!(last.name, "closed", "{last:?}");
            assert_eq!(last.data, json!({ "code": "grant-ended" }));
            assert!(rest.iter().all(|event| event.name == "ping"), "{rest:?}");
        }
    }
);

/// Asserts that a line is refused; one that is opened instead would never end.
async fn refused(request: reqwest::RequestBuilder) {
    let reply = request.send().await.expect("answered");
    assert_eq!(reply.status(), 400);
    let body: Value = reply.json().await.expect("a problem");
    assert_eq!(body["code"], "cursor-invalid");
}

on_both!(a_bad_cursor_is_refused_before_anything_is_sent, |engine| {
    let harness = Harness::start(engine).await;
    let hub = harness.hub().await;
    let others = harness.worker(1).await.phone().await;
    let others = others.pull(json!({ "cursor": null })).await["cursor"].clone();
    for bad in ["AYlAAAAA", "*", others.as_str().expect("a cursor")] {
        refused(hub.request(Method::GET, &format!("/v1/live?cursor={bad}"))).await;
        let last = hub.request(Method::GET, "/v1/live");
        refused(last.header("last-event-id", bad)).await;
    }
});

on_both!(a_volunteer_gets_no_station_and_no_hub, |engine| {
    let harness = Harness::start(engine).await;
    let phone = harness.worker(1).await.phone().await;
    let leader = harness.organiser().await.phone().await;
    let volunteer = harness.volunteer(1).await;
    phone.push_one(check_in(1, 1)).await;
    // Asked for by name, they are no streams of the view, and the line is over.
    let query = format!("?streams={STATION},hub:430121,restricted:430121,person:p-volunteer-01");
    let rest = Line::open(&volunteer, &query, None).await.rest().await;
    assert!(rest.iter().all(|event| event.name != "change"), "{rest:?}");
    assert_eq!(rest.last().map(|event| event.name.as_str()), Some("closed"));
    // Of everything in view only the county's come.
    let mut line = Line::open(&volunteer, "", None).await;
    phone.push_one(check_in(2, 2)).await;
    let activity = json!({ "n": 1, "op": "create", "kind": "activity", "unit": "430121",
        "id": id(30), "body": { "title": "陪老人过节", "type": "elder_company", "insured": true,
            "sessions": [{ "session": 1, "starts_at": START + 48 * HOUR,
                           "ends_at": START + 50 * HOUR,
                           "roles": [{ "role": "helper", "capacity": 1 }] }] } });
    assert_eq!(leader.push_one(activity).await["verdict"], "accepted");
    let first = line.change().await;
    assert_eq!(first.data["stream"], "county:430121", "{first:?}");
    assert_eq!(first.data["id"], id(30));
});

on_both!(a_quiet_line_says_that_it_is_alive, |engine| {
    let harness = Harness::with_settings(engine, |config| {
        config.lines.ping = Duration::from_millis(80);
    });
    let harness = harness.await;
    let hub = harness.hub().await;
    let phone = harness.worker(1).await.phone().await;
    phone.push_one(check_in(1, 1)).await;
    let mut line = Line::open(&hub, "?streams=station:430121001", None).await;
    assert_eq!(line.change().await.data["id"], id(1));
    for _ in 0..3 {
        let event = line.next().await.expect("the line goes on");
        assert_eq!((event.name.as_str(), event.id.as_str()), ("ping", ""));
    }
    // A station that begins while the line is open comes too, and the own mailbox only pokes.
    let mut all = Line::open(&hub, "", None).await;
    all.change().await;
    let other = harness.worker(3).await.phone().await;
    let unit = other.actor.signed_in().person.roles[0].unit.clone();
    let began = with(check_in(1, 50), "/unit", json!(unit));
    let began = with(began, "/body/place/village", json!(format!("{unit}001")));
    assert_eq!(other.push_one(began).await["verdict"], "accepted");
    loop {
        let event = all.next().await.expect("the line goes on");
        if event.name == "change" && event.data["stream"] == format!("station:{unit}") {
            break;
        }
    }
});

on_both!(a_person_has_so_many_lines_and_no_more, |engine| {
    let harness = Harness::start(engine).await;
    let hub = harness.hub().await;
    harness
        .worker(1)
        .await
        .phone()
        .await
        .push_one(check_in(1, 1))
        .await;
    let mut lines = Vec::new();
    for _ in 0..16 {
        lines.push(Line::open(&hub, "", None).await);
    }
    hub.get("/v1/live").await.problem(429, "throttled");
    // Another person has their own, and one that ends makes room.
    Line::open(&harness.reviewer(1).await, "", None)
        .await
        .change()
        .await;
    let listening = harness.app.live.listeners();
    lines.pop();
    while harness.app.live.listeners() >= listening {
        tokio::task::yield_now().await;
    }
    Line::open(&hub, "", None).await.change().await;
});
