//! The fake of WeChat's server interfaces as a program, to try a server by hand.
//!
//! It prints its address and then obeys lines: what a user of the mini-program would do.

use std::io::BufRead as _;

use xiangyi_server::clock::Clock;
use xiangyi_tests::wechat::{APP_ID, SECRET, Wechat};

const HELP: &str = "code OPENID | phone NUMBER | template ID FIELD… | consent OPENID TEMPLATE | \
                    judge WORD risky|review | delivered | quit";

#[tokio::main]
async fn main() {
    let wechat = Wechat::with_clock(Clock::system()).await;
    println!("base_url = \"{}\"", wechat.base());
    println!("app_id = \"{APP_ID}\"\napp_secret = \"{SECRET}\"");
    println!("{HELP}");
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["code", openid] => println!("{}", wechat.issue_code(openid)),
            ["phone", number] => println!("{}", wechat.issue_phone_code(number)),
            ["template", id, fields @ ..] => wechat.template(id, fields),
            ["consent", openid, template] => wechat.give_credit(openid, template),
            ["judge", word, suggest] => wechat.judge(word, suggest, 20_001),
            ["delivered"] => println!("{:#?}", wechat.delivered()),
            ["quit"] => return,
            _ => println!("{HELP}"),
        }
    }
}
