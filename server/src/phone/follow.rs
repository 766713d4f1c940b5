//! Following a person to another station: where new records are filed.
//!
//! The phone asks who it is after an exchange that changed its view or brought a grant. That it is
//! to ask is written down with the exchange itself, so that a lost answer is asked for again.

use reqwest::Method;
use xiangyi_proto::account::{Me, RoleAt};

use super::http::Ask;
use super::store::ASK_WHO;
use super::{Handset, Told, Trouble, words};

impl Handset {
    /// Takes over the posts that hold now, if they may have changed.
    pub(super) async fn follow(&mut self, told: &mut Told) -> Result<(), Trouble> {
        if self.store.get(ASK_WHO).await?.is_none() {
            return Ok(());
        }
        let me: Me = match self.call(&Ask::bare(Method::GET, "/v1/me")).await {
            Ok(reply) => reply.json()?,
            // What was exchanged stands; it is asked again at the next sync.
            Err(trouble) => {
                told.troubles.push(trouble.to_string());
                return Ok(());
            }
        };
        let now = self.wall_ms() + self.state.offset_ms.unwrap_or(0);
        let grants = me.grants.iter();
        let held = grants.filter(|grant| {
            let begun = grant.from_at <= now;
            begun && grant.to_at.is_none_or(|to_at| now < to_at)
        });
        let mut roles: Vec<RoleAt> = Vec::new();
        for grant in held {
            let (role, unit) = (grant.role, grant.unit.clone());
            let at = RoleAt { role, unit };
            if !roles.contains(&at) {
                roles.push(at);
            }
        }
        let was = self.session()?.person.roles.clone();
        let same = |all: &[RoleAt], others: &[RoleAt]| all.iter().all(|at| others.contains(at));
        if !same(&was, &roles) || !same(&roles, &was) {
            let name = |unit: &str| {
                let mut units = me.units.iter();
                let known = units.find(|card| card.code == unit);
                known.map_or_else(String::new, |card| card.name.clone())
            };
            let line = |at: &RoleAt| {
                let name = name(&at.unit);
                format!("{} {} {name}", words::role(at.role), at.unit)
            };
            told.posts = Some(roles.iter().map(line).collect());
            self.keep_roles(roles).await?;
        }
        self.store.remove(ASK_WHO).await
    }
}
