//! Data keys: made once, cached after the commit, never after a rollback.

use xiangyi_server::accounts::roots::Roots;
use xiangyi_server::accounts::seal::Sealer;
use xiangyi_server::accounts::turn::{Former, Turn};
use xiangyi_server::entropy::Entropy;
use xiangyi_server::store::keys;
use xiangyi_tests::on_both;

const COUNTY: i64 = 430_121;

on_both!(
    three_hundred_owners_get_their_keys_and_keep_them,
    |engine| {
        let fresh = engine.fresh().await;
        let entropy = Entropy::seeded(3);
        let roots = Roots::fresh(&entropy);
        let sealer = Sealer::new(&roots);
        let all: Vec<String> = (0..300).map(|number| format!("p-{number}")).collect();
        let owners = || all.iter().map(String::as_str);

        let mut tx = fresh.db.write().await.expect("begin");
        let set = keys::of(&mut tx, &sealer, COUNTY, owners(), &entropy)
            .await
            .expect("keys");
        let sealed = set
            .key("p-7")
            .expect("made")
            .seal(&entropy, b"here", b"text");
        tx.commit().await.expect("commit");
        set.keep(&sealer);

        // Another process has no cache, and reads without a writing transaction.
        let cold = Sealer::new(&roots);
        let mut tx = fresh.db.read().await.expect("begin");
        let set = keys::known(&mut tx, &cold, COUNTY, owners())
            .await
            .expect("keys");
        assert_eq!(set.open("p-7", b"here", &sealed).expect("opens"), b"text");
        assert!(set.open("p-8", b"here", &sealed).is_err());
        assert!(owners().all(|owner| set.key(owner).is_some()));
        let none = keys::known(&mut tx, &cold, 430_181, owners())
            .await
            .expect("none");
        assert!(
            owners().all(|owner| none.key(owner).is_none()),
            "another county, other keys"
        );
    }
);

on_both!(a_key_of_a_rolled_back_transaction_is_forgotten, |engine| {
    let fresh = engine.fresh().await;
    let entropy = Entropy::seeded(4);
    let sealer = Sealer::new(&Roots::fresh(&entropy));

    let mut tx = fresh.db.write().await.expect("begin");
    let set = keys::of(&mut tx, &sealer, COUNTY, ["p-1"], &entropy)
        .await
        .expect("keys");
    let lost = set
        .key("p-1")
        .expect("made")
        .seal(&entropy, b"here", b"text");
    drop((tx, set));

    let mut tx = fresh.db.write().await.expect("begin");
    let set = keys::known(&mut tx, &sealer, COUNTY, ["p-1"])
        .await
        .expect("none");
    assert!(set.key("p-1").is_none(), "the key was never stored");
    let set = keys::of(&mut tx, &sealer, COUNTY, ["p-1"], &entropy)
        .await
        .expect("keys");
    assert!(
        set.open("p-1", b"here", &lost).is_err(),
        "it is another key"
    );
});

on_both!(rows_wrapped_under_other_roots_are_a_fault, |engine| {
    let fresh = engine.fresh().await;
    let entropy = Entropy::seeded(5);
    let mut tx = fresh.db.write().await.expect("begin");
    let first = Sealer::new(&Roots::fresh(&entropy));
    keys::of(&mut tx, &first, COUNTY, ["p-1"], &entropy)
        .await
        .expect("keys");
    let other = Sealer::new(&Roots::fresh(&entropy));
    assert!(keys::known(&mut tx, &other, COUNTY, ["p-1"]).await.is_err());
});

/// The roots of a server that knows the next key, of one after the turn, and of one after its end.
fn turning(before: &Roots) -> [Roots; 3] {
    let (next, former) = ([9; 32], before.root);
    let announced = Roots {
        root_turn: Turn {
            next: Some(next),
            former: None,
        },
        ..before.clone()
    };
    let former = Former {
        key: former,
        until: 0,
    };
    let turned = Roots {
        root: next,
        root_turn: Turn {
            next: None,
            former: Some(former),
        },
        ..before.clone()
    };
    let ended = Roots {
        root_turn: Turn::default(),
        ..turned.clone()
    };
    [announced, turned, ended]
}

on_both!(a_root_key_turns_under_a_server_that_runs_on, |engine| {
    let fresh = engine.fresh().await;
    let (db, entropy) = (&fresh.db, Entropy::seeded(6));
    let before = Roots::fresh(&entropy);
    let [announced, turned, ended] = turning(&before);
    let [before, announced, turned, ended] =
        [before, announced, turned, ended].map(|roots| Sealer::new(&roots));
    let make = async |sealer: &Sealer, owner: &str| {
        let mut tx = db.write().await.expect("begin");
        let made = keys::of(&mut tx, sealer, COUNTY, [owner], &entropy).await;
        made.expect("a key");
        tx.commit().await.expect("commit");
    };
    let is_known = async |sealer: &Sealer, owner: &str| {
        let mut tx = db.read().await.expect("begin");
        keys::known(&mut tx, sealer, COUNTY, [owner]).await.is_ok()
    };
    let mut tx = db.write().await.expect("begin");
    let check = keys::of(&mut tx, &before, keys::PEOPLE, [keys::CHECK], &entropy);
    check.await.expect("the mark of the key in use");
    tx.commit().await.expect("commit");
    for number in 0..1_500 {
        make(&before, &format!("p-{number:04}")).await;
    }
    let changed = keys::rewrap(db, &turned, &entropy).await.expect("turned");
    assert_eq!(changed, 1_501, "over two pages");
    // A server that has not been started again reads on, and wraps under the key that turned.
    assert!(is_known(&announced, "p-0001").await);
    make(&announced, "p-late").await;
    // One that was never told reads nothing that was wrapped since, and makes nothing new.
    let mut tx = db.write().await.expect("begin");
    let strange = keys::of(&mut tx, &before, COUNTY, ["p-strange"], &entropy).await;
    assert!(strange.is_err(), "what it wrapped would be lost");
    drop(tx);
    let again = keys::rewrap(db, &turned, &entropy).await.expect("ended");
    assert_eq!(again, 0, "nothing was left under the former key");
    for owner in ["p-0000", "p-1499", "p-late"] {
        assert!(is_known(&ended, owner).await, "{owner}");
        assert!(!is_known(&before, owner).await, "{owner}");
    }
});
