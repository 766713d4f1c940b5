//! What can go wrong on a phone, in words for whoever holds it: Chinese first, then English.

use xiangyi_proto::problem::Problem;

/// Why something did not work. Nothing that was written down is lost by any of these.
#[derive(Debug)]
pub enum Trouble {
    /// No answer came: no network, too slow, cut.
    Offline(String),
    /// The server said no and why.
    Problem(Box<Problem>),
    /// The server answered with this status and without words.
    Status(u16),
    /// The phone's own file or folder failed.
    Store(sqlx::Error),
    /// Something else: Chinese, English.
    Words(String, String),
}

impl Trouble {
    /// Plain words.
    pub fn words(zh: &str, en: &str) -> Self {
        Self::Words(zh.to_owned(), en.to_owned())
    }

    /// A file of the phone that does not hold what it should.
    pub(super) fn damaged(error: serde_json::Error) -> Self {
        Self::Words(
            "手机里的文件或服务器的回答读不懂。".to_owned(),
            format!("The phone's file or the server's answer cannot be read: {error}"),
        )
    }

    /// A file outside that cannot be read or written.
    pub(super) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Words(
            format!("文件用不了：{}", path.display()),
            format!("The file cannot be used: {error}"),
        )
    }

    /// Whether the server is not there now: no answer, or a proxy's in its place.
    pub fn is_away(&self) -> bool {
        let status = match self {
            Self::Offline(_) => return true,
            Self::Problem(problem) => problem.status,
            Self::Status(status) => *status,
            Self::Store(_) | Self::Words(..) => return false,
        };
        matches!(status, 502..=504)
    }

    /// The server's code, if it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offline(why) => write!(
                f,
                "连不上服务器，记录都在手机上，稍后再同步。\n  No answer from the server; your \
                 records are on the phone, sync again later ({why})."
            ),
            Self::Problem(problem) => {
                write!(f, "{}\n  {}", problem.detail, problem.detail_en)?;
                for error in &problem.errors {
                    let (at, zh, en) = (&error.pointer, &error.detail, &error.detail_en);
                    write!(f, "\n  {at}: {zh} {en}")?;
                }
                Ok(())
            }
            Self::Status(status) => write!(
                f,
                "服务器回答 {status}，没有说明。\n  The server answered {status} without words."
            ),
            Self::Store(error) if is_full(error) => write!(
                f,
                "手机存不下了，这一步没有记下，之前的都还在；请清理空间再做一次。\n  The phone is \
                 full: this was not written down, everything before it is still here. Free some \
                 space and do it again ({error})."
            ),
            Self::Store(error) => write!(
                f,
                "手机的存储出错，这一步没有记下，之前的都还在。\n  The phone's storage failed: \
                 this was not written down, everything before it is still here ({error})."
            ),
            Self::Words(zh, en) => write!(f, "{zh}\n  {en}"),
        }
    }
}

/// Whether a write found no room: the disk is full, or a file may not grow.
fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<i64>().ok());
    // SQLITE_FULL and SQLITE_IOERR_WRITE.
    matches!(code, Some(13 | 778))
}

impl std::error::Error for Trouble {}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}
