//! Texts of the pages that say what was wrong with a request.

/// As [`texts`](super::texts) gives them: key, English, Chinese.
pub const ERRORS: &[(&str, &str, &str)] = &[
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
