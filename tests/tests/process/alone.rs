//! One server on a folder: the second is refused in plain words, commands work beside the first.

use xiangyi_tests::scratch::Scratch;

use crate::{WORKER, XIANGYI, demo};

#[tokio::test]
async fn a_second_server_on_a_folder_is_refused() {
    let scratch = Scratch::new("process");
    let first = demo(scratch.path(), &[]).await;
    let data = scratch.path().join("data").display().to_string();
    let args = [
        "serve",
        "--demo",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data,
    ];
    let beside = Scratch::new("process");
    let said = XIANGYI.serve(beside.path(), &args).await.err();
    let said = said.expect("it does not start");
    let words = said.bad();
    assert!(words.contains("另一个服务正在使用"), "{said:?}");
    assert!(words.contains("another server works on"), "{said:?}");
    first.nobody().sign_in(WORKER).await;

    // What is done beside a server goes on beside it.
    let copies = scratch.path().join("copies").display().to_string();
    for args in [
        &["backup", "--data", &data, "--to", &copies][..],
        &["verify", "--data", &data],
        &["people", "list", "--data", &data, WORKER],
        &["keys", "list", "--data", &data],
        &["migrate", "--data", &data],
    ] {
        XIANGYI.run(args).await.good();
    }
    first.stop().await;
    demo(scratch.path(), &[]).await.stop().await;
}

#[tokio::test]
async fn nobody_is_granted_what_may_be_no_unit() {
    let scratch = Scratch::new("process");
    let _serving = demo(scratch.path(), &[]).await;
    let data = scratch.path().join("data").display().to_string();
    let grant = async |unit: &str| {
        let args = [
            "people",
            "grant",
            "--data",
            &data,
            WORKER,
            "station_lead",
            unit,
        ];
        XIANGYI.run(&args).await
    };
    // The demo knows the townships of two counties, and the counties of the province.
    let said = grant("430682777").await;
    assert!(said.bad().contains("import regions first"), "{said:?}");
    assert!(said.bad().contains("没有导入乡镇"), "{said:?}");
    grant("430682").await.good();
}
