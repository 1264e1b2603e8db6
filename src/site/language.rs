//! The two languages of the pages: which one a browser wants, and every text in both.
//!
//! [`Lang::of`] reads Accept-Language; [`TEXTS`] is the one table of texts. Templates have `{{ t.key }}`, scripts read
//! the texts from `data-` attributes, Rust code has a [`Localized`].

use std::fmt::Display;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    En,
    Zh,
}

impl Lang {
    /// Both, in the order of the columns of [`TEXTS`].
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Zh];

    /// Picks from an Accept-Language field (RFC 9110 section 12.5.4): the greater weight wins, at equal weights the
    /// one named first. English where the field is absent, unreadable or names neither.
    pub fn of(accept_language: Option<&[u8]>) -> Lang {
        let field = accept_language.and_then(|field| std::str::from_utf8(field).ok()).unwrap_or("");
        let mut best = (Lang::En, 0);
        for range in field.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let lang = match tag.trim().split('-').next().unwrap_or("") {
                primary if primary.eq_ignore_ascii_case("zh") => Lang::Zh,
                primary if primary.eq_ignore_ascii_case("en") => Lang::En,
                _ => continue,
            };
            let weight = weight(parameters);
            if weight > best.1 {
                best = (lang, weight);
            }
        }
        best.0
    }

    /// The tag for the `lang` attribute (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh-Hans",
        }
    }

    /// The text of `key`, if the table has it.
    pub fn text(self, key: &str) -> Option<&'static str> {
        TEXTS.iter().find(|row| row.0 == key).map(|row| self.pick(row))
    }

    /// This language's column of one row of [`TEXTS`].
    pub fn pick(self, row: &(&'static str, &'static str, &'static str)) -> &'static str {
        match self {
            Lang::En => row.1,
            Lang::Zh => row.2,
        }
    }
}

/// A row of [`TEXTS`] with its placeholders filled.
///
/// Each `{}` stands for a value: a number, a name, an address. `{cause}` stands for a technical text, which is English
/// in both languages, so a page marks it as English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localized {
    key: &'static str,
    values: Vec<String>,
    cause: String,
}

impl Localized {
    /// The row `key` with these values for its `{}`.
    pub fn new<const N: usize>(key: &'static str, values: [&dyn Display; N]) -> Localized {
        Localized { key, values: values.iter().map(ToString::to_string).collect(), cause: String::new() }
    }

    /// The same with a cause.
    pub fn because(self, cause: impl Display) -> Localized {
        Localized { cause: cause.to_string(), ..self }
    }

    /// The text before the cause, the cause, and the text behind it; without a cause the first is all.
    pub fn parts(&self, lang: Lang) -> [String; 3] {
        let text = lang.text(self.key).unwrap_or(self.key);
        let (before, behind) = text.split_once("{cause}").unwrap_or((text, ""));
        let mut pieces = before.split("{}");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for (n, piece) in pieces.enumerate() {
            filled.extend([self.values.get(n).map_or("", String::as_str), piece]);
        }
        [filled, self.cause.clone(), behind.to_owned()]
    }

    /// All of it as one text.
    pub fn text(&self, lang: Lang) -> String {
        self.parts(lang).concat()
    }
}

/// `q=0.8` in thousandths; 1000 where absent, 0 where malformed.
fn weight(parameters: &str) -> u32 {
    let q = parameters.split(';').find_map(|p| p.trim().strip_prefix("q=").or_else(|| p.trim().strip_prefix("Q=")));
    match q.map(|q| q.trim().parse::<f32>()) {
        None => 1000,
        Some(Ok(q)) if (0.0..=1.0).contains(&q) => (q * 1000.0) as u32,
        Some(_) => 0,
    }
}

/// Every text of the pages: key, English, 中文. For `{}` and `{cause}` see [`Localized`]; scripts fill in `{}` too.
pub const TEXTS: &[(&str, &str, &str)] = &[
    // Everywhere.
    ("skip", "Skip to the content", "跳到正文"),
    ("nav", "Main", "主导航"),
    ("chat", "Chat", "聊天"),
    ("search", "Search", "搜索"),
    ("login", "Log in", "登录"),
    ("logout", "Log out", "退出登录"),
    ("footer", "One thread, one event loop.", "一个线程，一个事件循环。"),
    // Index.
    ("index_title", "Everybody at once, on one thread", "一个线程，招待所有人"),
    (
        "index_lead",
        "squall answers every browser from a single event loop. Chat in one window, search in another, \
         let a third one sleep: nobody waits for anybody.",
        "squall 用一个事件循环应答所有浏览器。一个窗口聊天，一个窗口搜索，再让第三个去睡觉：谁也不用等谁。",
    ),
    ("hello", "You are", "你是"),
    ("hello_nobody", "You have no name here yet.", "你在这里还没有名字。"),
    (
        "slept",
        "Slept {} s on a timer of the loop. Nobody else noticed.",
        "睡了 {} 秒，用的是事件循环的定时器。别人毫无察觉。",
    ),
    ("blocked", "Blocked the loop for {} s. Everybody waited.", "把事件循环堵了 {} 秒。所有人都在等。"),
    ("try", "What there is to try", "可以试试"),
    ("try_chat", "Talk to everybody who is here, over one WebSocket each.", "和在场的每个人说话，每人一条 WebSocket。"),
    ("try_search", "Ask another site without holding anybody up.", "向另一个网站提问，不耽误任何人。"),
    ("sleep", "Sleep", "睡眠"),
    (
        "try_sleep",
        "An answer that comes in three seconds and costs nothing until then.",
        "三秒后才到的回答，等待时不占任何资源。",
    ),
    ("echo", "Echo", "回声"),
    ("try_echo", "A WebSocket that says back whatever it hears.", "听到什么就原样说回来的 WebSocket。"),
    ("echo_say", "Say something", "说点什么"),
    ("echo_send", "Send", "发送"),
    ("echo_back", "{} ms there and back", "往返 {} 毫秒"),
    ("echo_failed", "no connection", "连接不上"),
    ("plaintext", "Plain text", "纯文本"),
    (
        "try_plaintext",
        "Thirteen bytes, as fast as they go. Made for load generators.",
        "十三个字节，能多快就多快。给压测工具准备的。",
    ),
    ("lab", "Lab: the same, done the wrong way", "实验室：同样的事，错误的做法"),
    (
        "lab_lead",
        "These two block the loop itself. Open one and watch everybody else wait.",
        "这两个会阻塞事件循环本身。打开一个，看看所有人怎么一起等。",
    ),
    ("try_search_sync", "The same search, while the loop waits for it.", "同样的搜索，但事件循环停下来等它。"),
    ("try_block", "Stands still for three seconds, and everybody with it.", "停住三秒，所有人也跟着停住。"),
    // Login.
    ("login_title", "Pick a name", "取个名字"),
    ("login_name", "Name", "名字"),
    ("login_hint", "1 to 32 characters, no colon.", "1 到 32 个字符，不能有冒号。"),
    (
        "login_note",
        "A name belongs to the browser that uses it first. There is no password for it: after a log-out it is gone, \
         unless an operator frees it.",
        "名字属于第一个使用它的浏览器。它没有密码：退出登录后就不能再用，除非管理员释放它。",
    ),
    ("login_go", "Come in", "进入"),
    ("login_as", "You are already here as", "你现在的名字是"),
    ("login_change", ". A new name replaces it.", "。登录新名字会替换它。"),
    ("name_empty", "Please type a name.", "请输入名字。"),
    ("name_long", "That name is longer than 32 characters or 256 bytes.", "名字超过了 32 个字符或 256 字节。"),
    (
        "name_character",
        "A name cannot contain a colon or a character that does not show.",
        "名字里不能有冒号或不可见字符。",
    ),
    (
        "name_reserved",
        "Such names stand for people who were forgotten. Please choose another one.",
        "这类名字用来代替已被遗忘的人，请换一个。",
    ),
    (
        "name_owned",
        "That name, or one that looks like it, belongs to another browser. Please pick another one; an operator can \
         free it.",
        "这个名字或看起来相同的名字属于另一个浏览器，请换一个；管理员可以释放它。",
    ),
    (
        "name_of_operator",
        "That name looks like the name of an operator. Please pick another one.",
        "这个名字看起来像管理员的名字，请换一个。",
    ),
    ("login_password_title", "This name has a password", "这个名字有密码"),
    ("login_password", "Password", "密码"),
    ("login_password_hint", "It is an operator's name.", "这是管理员的名字。"),
    ("login_other_name", "Use another name", "换个名字"),
    ("login_invite", "Invitation", "邀请码"),
    ("login_invite_hint", "A link with the invitation fills it in.", "邀请链接会自动填好。"),
    ("login_wrong_password", "That password is wrong.", "密码不对。"),
    (
        "login_too_fast",
        "Too many passwords were tried for this name. Please wait a moment.",
        "这个名字的密码试得太多了，请稍等。",
    ),
    (
        "login_busy",
        "Too many passwords are being checked. Please try again in a moment.",
        "正在检查的密码太多，请稍后再试。",
    ),
    (
        "login_not_stored",
        "The name cannot be stored at the moment. Please try again in a moment.",
        "现在不能保存名字，请稍后再试。",
    ),
    (
        "login_wrong_invite",
        "You need an invitation to come in: this one is unknown, or its time is over.",
        "需要邀请才能进入：这个邀请码无效或已过期。",
    ),
    (
        "name_taken",
        "Somebody is online under that name or one that looks like it. Please pick another one.",
        "这个名字或看起来相同的名字正有人在线使用，请换一个。",
    ),
    // Chat. The page hands every text whose key begins with "chat_" to its scripts.
    ("chat_title", "The room", "聊天室"),
    ("chat_log", "Messages", "消息"),
    ("chat_message", "Message", "消息"),
    ("chat_placeholder", "Say something to everybody", "对大家说点什么"),
    ("chat_send", "Send", "发送"),
    ("chat_keys", "Enter sends, Shift+Enter makes a new line.", "回车发送，Shift+回车换行。"),
    ("chat_unread", "{} new messages", "{} 条新消息"),
    ("chat_marker", "New", "新消息"),
    ("chat_enters", "came in", "进来了"),
    ("chat_leaves", "left", "离开了"),
    ("chat_fold_in", "{} came in", "{} 人进来了"),
    ("chat_fold_out", "{} left", "{} 人离开了"),
    ("chat_deleted", "Message deleted", "消息已删除"),
    ("chat_deleted_by", "Message deleted by {}", "消息已被 {} 删除"),
    ("chat_delete", "Delete", "删除"),
    ("chat_delete_sure", "Really delete?", "确定删除？"),
    ("chat_delete_later", "Nothing can be deleted until the connection is back.", "连接恢复之前无法删除。"),
    ("chat_delete_gone", "This message is deleted already.", "这条消息已经删除了。"),
    ("chat_delete_forbidden", "Only its author can delete this message.", "只有作者可以删除这条消息。"),
    ("chat_older", "Older messages", "更早的消息"),
    ("chat_older_loading", "Loading older messages…", "正在加载更早的消息…"),
    ("chat_older_failed", "Older messages could not be loaded. Try again", "更早的消息加载失败，点此重试"),
    ("chat_beginning", "This is where the history begins.", "历史记录从这里开始。"),
    (
        "chat_gap_far",
        "More was said than could be made up for. These are the last messages.",
        "离开期间的消息太多，无法全部补上。以下是最近的消息。",
    ),
    (
        "chat_gap_other",
        "The history of the server has changed, so the list was loaded anew.",
        "服务器上的历史记录有变化，消息列表已重新加载。",
    ),
    ("chat_find", "Search this room", "搜索本聊天室"),
    ("chat_find_words", "Words to look for", "要找的词"),
    ("chat_find_go", "Search", "搜索"),
    ("chat_find_close", "Close the search", "关闭搜索"),
    ("chat_find_list", "Messages found", "找到的消息"),
    ("chat_find_busy", "Searching…", "正在搜索…"),
    ("chat_find_some", "Messages found: {}", "找到 {} 条消息"),
    ("chat_find_none", "No message has all of these words.", "没有消息包含所有这些词。"),
    ("chat_find_further", "Search further back", "继续往前搜索"),
    (
        "chat_find_around",
        "This message is far back. It is shown with those around it.",
        "这条消息很早，下面是它和前后的消息。",
    ),
    ("chat_find_back", "Back to the results", "返回搜索结果"),
    ("chat_find_wrong", "Search for one to eight words that are not too long.", "请搜索一到八个词，不要太长。"),
    ("chat_find_failed", "The search failed. Try it again.", "搜索失败，请再试一次。"),
    ("chat_rooms", "Rooms", "聊天室列表"),
    ("chat_goto", "Go to a room, or make one", "进入或新建聊天室"),
    ("chat_goto_rule", "Letters, digits, - and _, at most 64", "最多 64 个字母、数字、- 或 _"),
    ("chat_go", "Go", "进入"),
    ("chat_unread_room", "new messages", "有新消息"),
    ("chat_members", "Members", "成员"),
    ("chat_here", "Members here: {}", "在场人数：{}"),
    ("chat_more", "and {} more", "还有 {} 人"),
    ("chat_you", "(you)", "（你）"),
    ("chat_call", "Mention {}", "提到 {}"),
    ("chat_offer", "Names", "名字"),
    ("chat_alerts", "Tell me when I am mentioned", "有人提到我时通知我"),
    (
        "chat_alerts_denied",
        "The browser does not allow notifications here; there is only a sound.",
        "浏览器不允许在这里发送通知，只会有提示音。",
    ),
    ("chat_mention", "{} in {}", "{} 在 {}"),
    ("chat_mentions", "{} mentions in {}", "有 {} 条消息在 {} 提到你"),
    ("chat_connecting", "Connecting…", "正在连接…"),
    ("chat_connected", "Connected", "已连接"),
    ("chat_retry", "Connection lost. Trying again in {} s", "连接断开，{} 秒后重试"),
    ("chat_retry_now", "Try now", "立即重试"),
    ("chat_gone", "Your login is gone. What you typed is kept.", "登录已失效。你输入的内容已保留。"),
    ("chat_again", "Log in again", "重新登录"),
    ("chat_flood", "Too fast: the server hung up on a flood of messages.", "发送太快：服务器因消息过多断开了连接。"),
    ("chat_long", "Too long: the server refused that message.", "消息太长：服务器拒绝了它。"),
    ("chat_slow", "Too slow: this page fell too far behind the room.", "太慢：本页落后聊天室太多。"),
    ("chat_restart", "The server is restarting.", "服务器正在重启。"),
    (
        "chat_blocked",
        "Pages load, the chat does not: perhaps a proxy does not pass on Upgrade. Trying again in {} s",
        "网页能打开，聊天却连不上：也许中间的代理没有转发 Upgrade。{} 秒后重试",
    ),
    ("chat_no_room", "There is no such room on this server.", "这个服务器上没有这个聊天室。"),
    ("chat_outbox", "Not stored yet", "尚未保存的消息"),
    ("chat_sending", "Sending…", "正在发送…"),
    ("chat_stored", "Stored", "已保存"),
    ("chat_held_old", "Not sent: more than ten minutes old.", "未发送：已超过十分钟。"),
    ("chat_held_renamed", "Not sent: written under another name.", "未发送：是用另一个名字写的。"),
    ("chat_held_storage", "Not sent: the server could not store it.", "未发送：服务器无法保存它。"),
    ("chat_held_refused", "Not sent: the server refused it.", "未发送：服务器拒绝了它。"),
    ("chat_resend", "Send", "发送"),
    ("chat_discard", "Discard", "丢弃"),
    (
        "chat_renamed",
        "You are {} now: this browser has logged in again in another window.",
        "你现在的名字是 {}：这个浏览器在另一个窗口里重新登录了。",
    ),
    ("chat_unsent", "Nothing is sent until you are logged in.", "登录之前无法发送。"),
    ("chat_later", "Not connected: messages are sent when the connection is back.", "未连接：消息会在连接恢复后发送。"),
    (
        "chat_full",
        "{} messages are not stored yet. Wait until they are, or discard some.",
        "有 {} 条消息还没有保存。请等它们保存，或丢弃一些。",
    ),
    ("chat_left", "Letters left: about {}", "大约还可以写 {} 个字"),
    ("chat_over", "Too long to send. Letters to take out: {}", "太长，无法发送。至少要删去 {} 个字"),
    ("chat_noscript", "The chat needs JavaScript.", "聊天需要 JavaScript。"),
    // Search.
    ("search_title", "Search elsewhere", "去别处搜索"),
    (
        "search_lead",
        "squall asks the search site for you, on the same loop that serves everybody else.",
        "squall 替你去问搜索网站，用的正是招待所有人的那个循环。",
    ),
    ("search_words", "Words to search for", "搜索词"),
    ("search_go", "Search", "搜索"),
    ("search_busy", "Searching for “{}”", "正在搜索“{}”"),
    ("search_done", "Done in {} s", "完成，用时 {} 秒"),
    ("search_result", "Results for “{}”", "“{}”的搜索结果"),
    (
        "search_late",
        "Nothing to see for “{}” yet. It may show on a page of its own.",
        "“{}”还没有显示出来。也许单独打开就能看到。",
    ),
    ("search_alone", "Open on a page of its own", "单独打开"),
    // Errors: titles by status.
    ("error_home", "Back to the start", "回到首页"),
    ("error_400", "That request makes no sense", "看不懂这个请求"),
    ("error_401", "Please log in first", "请先登录"),
    ("error_403", "Not allowed", "不允许"),
    ("error_404", "Nothing at this address", "这个地址什么也没有"),
    ("error_405", "Not this way", "不能这样访问"),
    ("error_409", "That name is taken", "这个名字已被占用"),
    ("error_415", "Not in this format", "不支持这种格式"),
    ("error_426", "This address speaks WebSocket", "这个地址只讲 WebSocket"),
    ("error_429", "Too much at once", "太快了"),
    ("error_500", "Something broke here", "服务器出错了"),
    ("error_501", "Never heard of that method", "没听说过这个方法"),
    ("error_502", "The other site did not answer properly", "对方网站没有正常应答"),
    ("error_503", "Too busy right now", "现在太忙"),
    ("error_504", "The other site took too long", "对方网站太久没有应答"),
    // Errors: what exactly is wrong.
    ("why_no_page", "There is no such page.", "没有这个页面。"),
    ("why_no_file", "There is no such file.", "没有这个文件。"),
    ("why_unreadable", "This file cannot be read.", "这个文件无法读取。"),
    ("why_no_method", "This method is not known here.", "这里不认识这种请求方法。"),
    ("why_not_this_method", "This page does not answer to this method.", "这个页面不接受这种请求方法。"),
    ("why_seconds", "seconds must be a number from 0 to {}.", "seconds 必须是 0 到 {} 之间的数。"),
    ("why_encoding", "A parameter is not text in UTF-8.", "有参数不是 UTF-8 文本。"),
    ("why_media_type", "A form is sent as {}, not as {}.", "表单要以 {} 发送，而不是 {}。"),
    ("why_coding", "A form is sent in the coding {}, not in {}.", "表单要以 {} 编码发送，而不是 {}。"),
    ("why_origin", "The Origin {} is not the host {} that was asked.", "请求来自 {}，而不是所访问的主机 {}。"),
    ("why_no_name", "Log in first: the chat needs the cookie of /login.", "请先登录：聊天需要 /login 给的 cookie。"),
    (
        "why_room",
        "This is no name of a room: 1 to 64 letters, digits, - and _.",
        "这不是房间名：1 到 64 个字母、数字、- 或 _。",
    ),
    (
        "why_words",
        "Search for one to eight words, with ?q=WORDS of at most 256 bytes.",
        "请搜索一到八个词，?q=WORDS 不超过 256 字节。",
    ),
    ("why_page", "Use ?before=ID and ?limit=N, with N from 1 to 200.", "请用 ?before=ID 和 ?limit=N，N 为 1 到 200。"),
    (
        "why_post",
        "Post a text, and perhaps a nonce of 32 hexadecimal digits, as a form or as JSON.",
        "请以表单或 JSON 发送 text，以及可选的 nonce（32 位十六进制数）。",
    ),
    ("why_no_text", "The message has no text.", "消息没有内容。"),
    ("why_long_text", "The message is too long.", "消息太长了。"),
    ("why_too_fast", "Too many messages in a short time.", "短时间内的消息太多。"),
    ("why_entrances", "Too many connections from this address in a short time.", "短时间内来自此地址的连接太多。"),
    ("why_logins", "Too many logins from this address in a short time.", "短时间内来自此地址的登录太多。"),
    ("why_no_room", "There is no such room on this server.", "这个服务器上没有这个房间。"),
    (
        "why_rooms",
        "There are too many rooms. Enter one of those, or try again later.",
        "房间太多了。请进入已有的房间，或稍后再试。",
    ),
    ("why_banned", "An operator has banned this name or address.", "管理员已禁止此名字或地址进入。"),
    (
        "why_banned_until",
        "An operator has banned this name or address until {0}.",
        "管理员已禁止此名字或地址进入，直到 {0}。",
    ),
    ("why_websocket", "This is a WebSocket, version 13.", "这里是 WebSocket，版本 13。"),
    ("why_handshake", "This is not a WebSocket handshake: {cause}.", "这不是 WebSocket 握手：{cause}。"),
    ("why_search", "The search failed: {cause}.", "搜索失败：{cause}。"),
    (
        "why_redirects",
        "The search failed: the site redirects more than {} times.",
        "搜索失败：对方网站重定向超过 {} 次。",
    ),
    (
        "why_status",
        "The search failed: the site answers {} {}, which cannot be passed on.",
        "搜索失败：对方网站的应答是 {} {}，无法转交。",
    ),
    (
        "why_location",
        "The search failed: the site redirects to {}: {cause}.",
        "搜索失败：对方网站重定向到 {}：{cause}。",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(field: &str) -> Lang {
        Lang::of(Some(field.as_bytes()))
    }

    #[test]
    fn the_greater_weight_wins_then_the_first() {
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(of("en-US,en;q=0.9,zh-CN;q=0.8"), Lang::En);
        assert_eq!(of("en;q=0.5, ZH-Hant-TW ; q=0.7"), Lang::Zh);
        assert_eq!(of("en, zh"), Lang::En);
        assert_eq!(of("zh, en"), Lang::Zh);
        assert_eq!(of("fr, zh;q=0.001"), Lang::Zh);
    }

    #[test]
    fn english_is_the_default() {
        assert_eq!(Lang::of(None), Lang::En);
        for field in ["", "*", "fr-CH, fr;q=0.9", "zh;q=0", "zh;q=x", "zh;q=7", ",;,", "zhx"] {
            assert_eq!(of(field), Lang::En, "{field}");
        }
        assert_eq!(Lang::of(Some(b"zh\xff")), Lang::En);
    }

    #[test]
    fn every_text_has_both_languages_and_one_row() {
        let mut seen = std::collections::HashSet::new();
        for (key, en, zh) in TEXTS {
            assert!(seen.insert(key), "{key} has two rows");
            assert!(!en.is_empty() && !zh.is_empty(), "{key} lacks a text");
            for placeholder in ["{}", "{cause}"] {
                assert_eq!(
                    en.matches(placeholder).count(),
                    zh.matches(placeholder).count(),
                    "{key}: the languages differ in {placeholder}"
                );
            }
            for behind in [en, zh].iter().filter_map(|text| text.split_once("{cause}")).map(|(_, behind)| behind) {
                assert!(!behind.contains('{'), "{key}: the cause comes last");
            }
            assert!(!zh.is_ascii(), "{key} is not translated");
        }
        assert_eq!(Lang::Zh.text("chat"), Some("聊天"));
        assert_eq!(Lang::En.text("no such key"), None);
    }

    #[test]
    fn a_text_is_filled_in_and_its_cause_stays_apart() {
        let origin = Localized::new("why_origin", [&"http://{}", &"squall"]);
        assert_eq!(origin.text(Lang::En), "The Origin http://{} is not the host squall that was asked.");
        assert_eq!(origin.text(Lang::Zh), "请求来自 http://{}，而不是所访问的主机 squall。");
        let location = Localized::new("why_location", [&"ftp://a"]).because("no {cause}");
        assert_eq!(location.parts(Lang::Zh), ["搜索失败：对方网站重定向到 ftp://a：", "no {cause}", "。"]);
        assert_eq!(location.text(Lang::En), "The search failed: the site redirects to ftp://a: no {cause}.");
        assert_eq!(Localized::new("why_no_page", []).parts(Lang::En), ["There is no such page.", "", ""]);
    }
}
