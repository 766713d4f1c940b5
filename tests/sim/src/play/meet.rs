//! Exchanges: requests that are cut, repeated and late, servers that die, phones that are killed.

use xiangyi_proto::exchange::{Answer, Exchange, Form, PROTOCOL, PushAnswer};
use xiangyi_sync::phone::Phone;
use xiangyi_sync::{columns, echo};

use super::Play;
use crate::fault::Fault;
use crate::laws;
use crate::model::{self, Store};
use crate::server::{Crash, Sent};
use crate::story::{Broken, Check, broken, holds};

impl Play {
    /// One to three phones at a time, and what may go wrong on the way.
    pub(super) fn meet(&mut self) -> Check {
        let mut who: Vec<usize> = (0..self.hands.len()).collect();
        let count = 1 + self.dice.below(3);
        while who.len() > count {
            who.remove(self.dice.below(who.len()));
        }
        let pages = 1 + self.dice.below(3);
        for _ in 0..pages {
            let mishap = self.dice.below(12);
            self.exchange(&who, mishap)?;
        }
        Ok(())
    }

    pub(super) fn exchange(&mut self, who: &[usize], mishap: usize) -> Check {
        let max_items = *self.dice.pick(&[1, 2, 5, 40, 200]);
        let mut max_bytes = *self.dice.pick(&[300, 1_500, 6_000, 32_768]);
        if self.options.calm {
            // Where a page ends depends on how long the times in it are written.
            max_bytes = 512 * 1024;
        }
        let request = |index: &usize| {
            let exchange = self.hands[*index].request(self.now, max_items, max_bytes);
            let text = serde_json::to_string(&exchange).expect("a request can be written");
            serde_json::from_str(&text).expect("a request can be read")
        };
        let requests: Vec<Exchange> = who.iter().map(request).collect();
        let crash = match mishap {
            0 => {
                self.tell(format!("{who:?} are cut off before they send"));
                return Ok(());
            }
            1 => Crash::BeforeCommit,
            2 | 3 => Crash::AfterCommit,
            _ => Crash::Never,
        };
        let before = (self.options.fault == Some(Fault::PageBeforePush))
            .then(|| self.server.core.store.clone());
        let names: Vec<&str> = who
            .iter()
            .map(|index| self.hands[*index].who.name)
            .collect();
        let sent = requests.iter().zip(&names);
        let sent: Vec<Sent<'_>> = sent
            .map(|(exchange, person)| Sent { person, exchange })
            .collect();
        let pushed = self.server.push(&sent, self.now, crash)?;
        self.exchanges += requests.len();
        let items = |exchange: &Exchange| exchange.push.as_ref().map_or(0, |p| p.mutations.len());
        let items: Vec<usize> = requests.iter().map(items).collect();
        self.tell(format!(
            "{who:?} send {items:?}, {crash:?}, pages of {max_bytes}"
        ));
        let early = self.options.fault == Some(Fault::AnsweredTooEarly);
        for ((index, request), push) in who.iter().zip(requests).zip(pushed) {
            let Some(push) = push else {
                return broken("2", format!("d-{index} is told that it is forked"));
            };
            if crash == Crash::Never || crash == Crash::BeforeCommit && early {
                let push = request.push.is_some().then_some(push);
                let answer = self.answer(*index, &request, push, before.as_ref())?;
                let twice = self.dice.chance(10) && !self.is_due();
                let before = twice.then(|| self.hands[*index].phone.clone());
                if self.take_in(*index, &request, answer)?
                    && let Some(before) = before
                {
                    self.again(*index, &request, &before)?;
                }
            }
            if self.dice.chance(12) {
                self.late.push((*index, request));
            }
        }
        Ok(())
    }

    pub(super) fn answer(
        &self,
        who: usize,
        request: &Exchange,
        push: Option<PushAnswer>,
        old: Option<&Store>,
    ) -> Result<Answer, Broken> {
        let hand = &self.hands[who];
        let store = old.unwrap_or(&self.server.core.store);
        let ask = request.pull.clone().unwrap_or_default();
        let fault = self.options.fault;
        let verdicts = push.as_ref().map(|push| push.verdicts.as_slice());
        let mutations = request.push.as_ref().map(|push| push.mutations.as_slice());
        let said = echo::said(mutations.unwrap_or_default(), verdicts.unwrap_or_default());
        let kinds = hand.kinds();
        let page = model::ask(store, hand.who.name, &kinds, &ask, said, (self.now, fault));
        let Ok(mut page) = page else {
            return broken("9", "a cursor of this server is not read");
        };
        if fault == Some(Fault::CursorBack) && self.now % 3 == 0 && hand.earlier.is_some() {
            page.answer.cursor.clone_from(&hand.earlier);
        }
        Ok(Answer {
            protocol: PROTOCOL,
            server_time: self.now,
            push,
            pull: Some(page.answer),
            durable: self.server.durable(&request.journal),
            limits: None,
            next: None,
        })
    }

    /// Whether a timer could fire in the next commit.
    pub(super) fn is_due(&self) -> bool {
        let counties = self.server.core.store.counties.values();
        counties
            .into_iter()
            .any(|county| !county.due(self.now).is_empty())
    }

    /// 12: had the phone asked the same once more instead, it would hold the same.
    pub(super) fn again(&mut self, who: usize, request: &Exchange, before: &Phone) -> Check {
        let person = self.hands[who].who.name;
        let sent = [Sent {
            person,
            exchange: request,
        }];
        let pushed = self.server.push(&sent, self.now, Crash::Never)?.pop();
        let push = request.push.is_some();
        let push = push.then(|| pushed.flatten().unwrap_or_default());
        let answer = self.answer(who, request, push, None)?;
        let mut other = before.clone();
        for write in before.absorb(answer, self.hands[who].wall(self.now)) {
            other.write(&write);
        }
        laws::pages::law_12_same_phone(&self.hands[who].phone, &other)
    }

    /// The phone takes an answer in, unless it is killed first; the laws of pages are asked.
    /// Says whether it took it in.
    pub(super) fn take_in(
        &mut self,
        who: usize,
        request: &Exchange,
        answer: Answer,
    ) -> Result<bool, Broken> {
        let text = serde_json::to_string(&answer).expect("an answer can be written");
        let read = || serde_json::from_str::<Answer>(&text).expect("an answer can be read");
        // The laws look at rows; the phone may get columns.
        let mut sent = read();
        let form = request.pull.as_ref().and_then(|pull| pull.form);
        if let Some(page) = sent.pull.as_mut().filter(|_| form == Some(Form::Columns)) {
            columns::fold(page);
            let text = serde_json::to_string(&sent).expect("an answer can be written");
            sent = serde_json::from_str(&text).expect("an answer can be read");
        }
        let name = self.hands[who].who.name;
        let page = answer.pull.as_ref().expect("every answer has a page");
        let old = request
            .pull
            .as_ref()
            .and_then(|pull| pull.cursor.as_deref());
        let store = &self.server.core.store;
        laws::pages::law_14_view_only(store, name, page, self.now)?;
        laws::pages::law_9_and_13(store, name, old, page, !page.enter.is_empty())?;
        if self.step <= self.options.steps && self.dice.chance(5) {
            self.tell(format!(
                "{name} d-{who} is killed before it takes the answer in"
            ));
            return Ok(false);
        }
        let mismatches = self.hands[who].phone.mismatches;
        let lost = self.hands[who].lost();
        self.hands[who].absorb(sent, self.now);
        if self.options.fault == Some(Fault::SentByCursor) {
            self.hands[who].forget(&lost);
        }
        let healed = self.hands[who].phone.mismatches > mismatches;
        if healed {
            self.tell(format!("{name} d-{who} counts otherwise than the server"));
            let evicted = self.hands[who].evicted;
            holds("11", evicted, || {
                format!("the sums of d-{who} do not match")
            })?;
        }
        let store = &self.server.core.store;
        let view = store.view(name, self.now, None);
        let hand = &self.hands[who];
        laws::pages::law_15_and_17(&hand.phone, &view, &self.server.ledger, page)?;
        if !page.more && !healed && !hand.evicted {
            laws::pages::law_10_and_11(&hand.phone, store, &view, &hand.kinds())?;
        }
        if healed {
            self.hands[who].evicted = false;
        }
        Ok(true)
    }

    /// A request that everybody had given up reaches the server after all.
    pub(super) fn late_arrival(&mut self) -> Check {
        if self.late.is_empty() {
            return Ok(());
        }
        let (who, exchange) = self.late.remove(self.dice.below(self.late.len()));
        self.tell(format!("an old request of d-{who} arrives"));
        let person = self.hands[who].who.name;
        let sent = [Sent {
            person,
            exchange: &exchange,
        }];
        self.exchanges += 1;
        let told = self.server.push(&sent, self.now, Crash::AfterCommit)?;
        holds("3", told[0].is_some(), || {
            format!("an old request of d-{who} is a fork")
        })
    }
}
