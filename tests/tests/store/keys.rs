//! Data keys: made once, cached after the commit, never after a rollback.

use std::collections::BTreeSet;

use xiangyi_proto::ids::Shard;
use xiangyi_server::accounts::roots::Roots;
use xiangyi_server::accounts::seal::Vault;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::store::keys::Sealer;
use xiangyi_tests::on_both;

const COUNTY: Shard = Shard(430_121);

fn owners(range: std::ops::Range<u32>) -> BTreeSet<String> {
    range.map(|number| format!("p-{number}")).collect()
}

on_both!(
    three_hundred_owners_get_their_keys_and_keep_them,
    |engine| {
        let fresh = engine.fresh().await;
        let entropy = Entropy::seeded(3);
        let roots = Roots::fresh(&entropy);
        let vault = Vault::new(&roots);
        let all = owners(0..300);

        let mut tx = fresh.db.write().await.expect("begin");
        let sealer = Sealer::new(&vault, &entropy);
        sealer.make(&mut tx, COUNTY, &all).await.expect("keys");
        let sealed = sealer
            .seal(COUNTY, "p-7", b"here", b"text")
            .expect("sealed");
        tx.commit().await.expect("commit");
        sealer.keep();

        // Another process has no cache.
        let cold = Sealer::new(&Vault::new(&roots), &entropy);
        let mut tx = fresh.db.read().await.expect("begin");
        cold.fetch(&mut tx, COUNTY, &all).await.expect("keys");
        assert_eq!(
            cold.open(COUNTY, "p-7", b"here", &sealed).expect("opens"),
            b"text"
        );
        for owner in &all {
            cold.seal(COUNTY, owner, b"here", b"text")
                .expect("every owner has a key");
        }
        assert!(cold.open(COUNTY, "p-8", b"here", &sealed).is_err());
    }
);

on_both!(a_key_of_a_rolled_back_transaction_is_forgotten, |engine| {
    let fresh = engine.fresh().await;
    let entropy = Entropy::seeded(4);
    let vault = Vault::new(&Roots::fresh(&entropy));
    let one = owners(1..2);

    let mut tx = fresh.db.write().await.expect("begin");
    let sealer = Sealer::new(&vault, &entropy);
    sealer.make(&mut tx, COUNTY, &one).await.expect("keys");
    let lost = sealer
        .seal(COUNTY, "p-1", b"here", b"text")
        .expect("sealed");
    drop((tx, sealer));

    let mut tx = fresh.db.write().await.expect("begin");
    let sealer = Sealer::new(&vault, &entropy);
    sealer.fetch(&mut tx, COUNTY, &one).await.expect("none");
    assert!(
        sealer.seal(COUNTY, "p-1", b"here", b"text").is_err(),
        "the key was never stored"
    );
    sealer.make(&mut tx, COUNTY, &one).await.expect("keys");
    assert!(
        sealer.open(COUNTY, "p-1", b"here", &lost).is_err(),
        "it is another key"
    );
});

on_both!(rows_wrapped_under_other_roots_are_a_fault, |engine| {
    let fresh = engine.fresh().await;
    let entropy = Entropy::seeded(5);
    let one = owners(1..2);
    let mut tx = fresh.db.write().await.expect("begin");
    let first = Sealer::new(&Vault::new(&Roots::fresh(&entropy)), &entropy);
    first.make(&mut tx, COUNTY, &one).await.expect("keys");
    let other = Sealer::new(&Vault::new(&Roots::fresh(&entropy)), &entropy);
    assert!(other.fetch(&mut tx, COUNTY, &one).await.is_err());
});
