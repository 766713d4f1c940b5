//! Starting: settings that make no sense are refused, and so are foreign keys.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xiangyi_proto::role::Role;
use xiangyi_server::app::App;
use xiangyi_server::clock::Clock;
use xiangyi_server::commands::demo;
use xiangyi_server::config::{Config, LogLevel, PhotoStore};
use xiangyi_server::entropy::Entropy;
use xiangyi_server::on;
use xiangyi_server::store::Db;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::{Harness, START};
use xiangyi_tests::on_both;
use xiangyi_tests::scratch::Scratch;

fn read(text: &str) -> Result<Config, String> {
    let scratch = Scratch::new("config");
    let file = scratch.path().join("xiangyi.toml");
    fs::write(&file, text).expect("written");
    Config::read(Some(&file)).map_err(|error| error.to_string())
}

#[test]
fn the_annotated_settings_are_settings() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/xiangyi.toml");
    let config = Config::read(Some(&file)).expect("the example can be read");
    config.check().expect("the example makes sense");
    let plain = Config::default();
    assert_eq!(
        (config.listen, config.log.level),
        (plain.listen, LogLevel::Info)
    );
    assert_eq!(
        (config.photos.store, config.demo),
        (PhotoStore::Folder, false)
    );
}

#[test]
fn a_misspelt_setting_is_named() {
    for text in [
        "lisen = \"127.0.0.1:1\"",
        "[database]\nurI = \"x\"",
        "[log]\nlevel = \"all\"",
    ] {
        let error = read(text).expect_err(text);
        assert!(
            error.contains("xiangyi.toml") && error.contains("line"),
            "{error}"
        );
    }
    assert!(Config::read(Some(Path::new("/nowhere/x.toml"))).is_err());
}

fn read_over(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let scratch = Scratch::new("config");
    let file = scratch.path().join("xiangyi.toml");
    fs::write(&file, text).expect("written");
    let pairs = variables
        .iter()
        .map(|&(name, value)| (name.into(), value.into()));
    Config::read_over(Some(&file), pairs).map_err(|error| error.to_string())
}

#[test]
fn the_environment_stands_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\n[database]\nurl = \"sqlite:a\"\n[log]\nlevel = \"warn\"";
    let variables = [
        ("PATH", "/bin"),
        ("XIANGYI_DATABASE__URL", "sqlite:b"),
        ("XIANGYI_LISTEN", ""),
        ("XIANGYI_ACCOUNTS__SECOND_FACTOR_REQUIRED", "true"),
        ("XIANGYI_WECHAT__APP_SECRET", "0123"),
        ("XIANGYI_PACKS__TRUSTED", "{ 430121 = [\"ab\"] }"),
    ];
    let config = read_over(file, &variables).expect("these are settings");
    assert_eq!(config.database.url.as_deref(), Some("sqlite:b"));
    assert_eq!(
        config.listen.to_string(),
        "127.0.0.1:1",
        "nothing changes nothing"
    );
    assert!(config.accounts.second_factor_required);
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!(
        config.wechat.app_secret.as_deref(),
        Some("0123"),
        "text stays text"
    );
    assert_eq!(config.packs.trusted["430121"], ["ab"]);
}

#[test]
fn what_kubernetes_says_of_a_service_stops_no_start() {
    let variables = [
        ("XIANGYI_SERVICE_HOST", "10.0.0.11"),
        ("XIANGYI_SERVICE_PORT", "80"),
        ("XIANGYI_SERVICE_PORT_HTTP", "80"),
        ("XIANGYI_PORT", "tcp://10.0.0.11:80"),
        ("XIANGYI_PORT_80_TCP", "tcp://10.0.0.11:80"),
        ("XIANGYI_PORT_80_TCP_PROTO", "tcp"),
        ("XIANGYI_METRICS_SERVICE_HOST", "10.0.0.12"),
        ("XIANGYI_METRICS_PORT_9100_TCP_ADDR", "10.0.0.12"),
        ("XIANGYI_LISTEN", "127.0.0.1:7"),
    ];
    let config = read_over("", &variables).expect("they are no settings");
    assert_eq!(config.listen.to_string(), "127.0.0.1:7");
    for name in [
        "XIANGYI_PORTAL",
        "XIANGYI_HOST",
        "XIANGYI_LOG__SERVICE_HOST",
    ] {
        read_over("", &[(name, "x")]).expect_err(name);
    }
}

#[test]
fn a_variable_that_is_no_setting_is_named_and_its_value_is_not() {
    for (name, told) in [
        ("XIANGYI_LISEN", "lisen"),
        ("XIANGYI_DATABASE__URI", "uri"),
        ("XIANGYI_LISTEN", "listen"),
        ("XIANGYI_LISTEN__PORT", "no setting"),
        ("XIANGYI_LOG__LEVEL", "log.level"),
        ("XIANGYI_ACCOUNTS__SECOND_FACTOR_REQUIRED", "does not fit"),
    ] {
        let variables = [(name, "s3cret")];
        let error = read_over("listen = \"127.0.0.1:1\"", &variables).expect_err(name);
        assert!(error.contains(name) && error.contains(told), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn the_demo_is_for_this_machine_only() {
    for (listen, is_fine) in [
        ("127.0.0.1:0", true),
        ("[::1]:0", true),
        ("0.0.0.0:80", false),
    ] {
        let listen = listen.parse().expect("an address");
        let config = Config {
            listen,
            demo: true,
            ..Config::default()
        };
        assert_eq!(config.check().is_ok(), is_fine, "{listen}");
    }
}

#[tokio::test]
async fn keys_are_made_once_and_for_their_owner_only() {
    let harness = Harness::start(Engine::Sqlite).await;
    let keys = harness.config.data.join("keys");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    let names: BTreeSet<String> = fs::read_dir(&keys)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    assert_eq!(
        names,
        BTreeSet::from(["index.key", "pack.key", "root.key", "token.key"].map(String::from))
    );
    for name in &names {
        assert_eq!(mode(&keys.join(name)), 0o600, "{name}");
    }
    let open = || App::open(&harness.config, Clock::fixed(START), Entropy::system());
    let before = fs::read(keys.join("root.key")).expect("read");
    open().await.expect("a second start");
    assert_eq!(fs::read(keys.join("root.key")).expect("read"), before);
    fs::set_permissions(keys.join("root.key"), fs::Permissions::from_mode(0o644)).expect("set");
    let error = open().await.err().expect("others may read it");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn a_start_on_tables_of_another_build_makes_no_keys() {
    let scratch = Scratch::new("server");
    let mut config = Config {
        data: scratch.path().join("data"),
        ..Config::default()
    };
    config.database.url = Some(Engine::Postgres.address(&scratch).await);
    let db = Db::open(&config.database_url()).await.expect("it is there");
    let mut tx = db.write().await.expect("begin");
    let older = "DELETE FROM _sqlx_migrations WHERE version > 17";
    on!(&mut tx, |c| sqlx::query(older).execute(c).await.map(drop))
        .expect("as an earlier build left it");
    tx.commit().await.expect("commit");
    db.close().await;
    let started = App::open(&config, Clock::fixed(START), Entropy::system()).await;
    let error = started.err().expect("the tables are not current");
    assert!(error.to_string().contains("migrate"), "{error}");
    assert!(
        !config.data.join("keys").exists(),
        "a restore brings its own"
    );
}

on_both!(other_keys_than_the_databases_are_refused, |engine| {
    let harness = Harness::start(engine).await;
    fs::remove_file(harness.config.data.join("keys/root.key")).expect("lost");
    let started = App::open(&harness.config, Clock::fixed(START), Entropy::system()).await;
    let error = started.err().expect("the sealed names could not be read");
    assert!(error.to_string().contains("backup"), "{error}");
});

on_both!(
    the_demo_has_its_fixed_people_and_a_second_start_adds_none,
    |engine| {
        let harness = Harness::start(engine).await;
        demo::seed(&harness.app).await.expect("a second start");
        let people = demo::people(&harness.app);
        let with = |role: Role| people.iter().filter(move |person| person.role == role);
        let telephones = |role: Role| with(role).map(|p| p.telephone.as_str()).collect::<Vec<_>>();
        let workers: Vec<String> = (1..=12).map(|n| format!("138000000{n:02}")).collect();
        assert_eq!(telephones(Role::Worker)[..12], workers);
        assert_eq!(telephones(Role::Worker)[12..], ["13900000001"]);
        assert_eq!(telephones(Role::StationLead), ["13800000101"]);
        assert_eq!(telephones(Role::HubOfficer), ["13800000201", "13900000201"]);
        assert_eq!(
            telephones(Role::HubReviewer),
            ["13800000202", "13800000203"]
        );
        let volunteers: Vec<String> = (301..=340).map(|n| format!("13800000{n}")).collect();
        assert_eq!(telephones(Role::Volunteer), volunteers);
        assert_eq!(telephones(Role::ActivityLeader), ["13800000401"]);
        assert_eq!(telephones(Role::CityViewer), ["13800000501"]);
        assert_eq!(telephones(Role::ProvinceAdmin), ["13800000601"]);
        let stations: Vec<&str> = with(Role::Worker)
            .take(12)
            .map(|p| p.unit.as_str())
            .collect();
        assert_eq!(
            stations.iter().collect::<BTreeSet<_>>().len(),
            6,
            "two a station"
        );
        assert!(
            stations
                .iter()
                .all(|unit| unit.len() == 9 && unit.starts_with("430121"))
        );
        let names: BTreeSet<&str> = people.iter().map(|person| person.name.as_str()).collect();
        assert!(names.contains(demo::CANARY_NAME));
        let worker = harness.worker(12).await.get("/v1/me").await.good();
        assert_eq!(worker["grants"].as_array().map(Vec::len), Some(1));
    }
);

/// Why a server does not start.
async fn refused(config: &Config) -> String {
    let opened = App::open(config, Clock::fixed(START), Entropy::system()).await;
    opened.err().expect("it must not start").to_string()
}

on_both!(
    a_lost_key_is_named_and_none_is_made_in_its_place,
    |engine| {
        let mut harness = Harness::start(engine).await;
        harness.stop().await;
        let keys = harness.config.data.join("keys");
        let aside = harness.config.data.join("aside");
        for name in ["root.key", "index.key", "token.key", "pack.key"] {
            fs::rename(keys.join(name), &aside).expect("moved");
            let why = refused(&harness.config).await;
            assert!(why.contains(name) && why.contains("missing"), "{why}");
            assert!(!keys.join(name).exists());
            fs::rename(&aside, keys.join(name)).expect("moved back");
        }
        fs::rename(&keys, &aside).expect("moved");
        let why = refused(&harness.config).await;
        assert!(why.contains("put them back"), "{why}");
        assert!(
            !keys.join("root.key").exists(),
            "none lies in the way of the right ones"
        );
    }
);
