//! What people write, and what is read.

use super::*;
use proptest::prelude::*;
use rstest::rstest;

fn surface() -> Surface {
    Surface { handle: "countersign".to_owned(), bare: true }
}

fn parse(comment: &str) -> Vec<Result<Command, Misunderstood>> {
    parse_comment(comment, &surface()).unwrap()
}

/// The only command of a comment, as `spelling verb [words]`.
fn only(comment: &str) -> String {
    let commands = parse(comment);
    assert_eq!(commands.len(), 1, "{commands:?}");
    told(commands.first().unwrap())
}

fn told(command: &Result<Command, Misunderstood>) -> String {
    match command {
        Ok(Command { verb, spelling, words, .. }) => format!("{spelling:?} {} [{words}]", verb.name()),
        Err(Misunderstood::UnknownVerb { word, did_you_mean, .. }) => {
            format!("unknown {word} ({})", did_you_mean.map_or("-", Verb::name))
        }
    }
}

#[rstest]
#[case::mention("@countersign approve production", "Mention approve [production]")]
#[case::mention_in_capitals("@Countersign APPROVE production", "Mention approve [production]")]
#[case::mention_with_colon("@countersign: approve production", "Mention approve [production]")]
#[case::mention_with_comma("@countersign,approve production", "Mention approve [production]")]
#[case::deploy("/deploy approve production", "Deploy approve [production]")]
#[case::deploy_in_capitals("/DEPLOY Approve production", "Deploy approve [production]")]
#[case::slash("/approve production", "Slash approve [production]")]
#[case::bang("!approve production", "Bang approve [production]")]
#[case::reject("/reject production too early", "Slash reject [production too early]")]
#[case::deny("/deny -- too early", "Slash reject [-- too early]")]
#[case::revoke("@countersign revoke", "Mention revoke []")]
#[case::unapprove("!unapprove d12", "Bang revoke [d12]")]
#[case::status("@countersign status", "Mention status []")]
#[case::blocked("/deploy blocked", "Deploy blocked []")]
#[case::why("@countersign why production", "Mention why [production]")]
#[case::help("@countersign help", "Mention help []")]
#[case::mention_alone("@countersign", "Mention help []")]
#[case::mention_alone_with_colon("@countersign:", "Mention help []")]
#[case::deploy_alone("/deploy", "Deploy help []")]
#[case::spaces_around("   @countersign \t approve   production  ", "Mention approve [production]")]
#[case::no_break_space("@countersign\u{a0}approve\u{a0}production", "Mention approve [production]")]
#[case::stray_backtick("@countersign approve production`", "Mention approve [production]")]
fn every_spelling_is_heard(#[case] comment: &str, #[case] expected: &str) {
    assert_eq!(only(comment), expected);
}

#[rstest]
#[case::verb_misspelt("@countersign aprove production", "unknown aprove (approve)")]
#[case::alias_misspelt("/deploy unaprove", "unknown unaprove (revoke)")]
#[case::punctuation("@countersign approve, please", "unknown approve, (approve)")]
#[case::prose("@countersign thanks!", "unknown thanks! (-)")]
#[case::target_first("/deploy production", "unknown production (-)")]
#[case::look_alike_letter("@countersign аpprove production", "unknown аpprove (approve)")]
#[case::zero_width_space("@countersign approve\u{200b} production", "unknown approve\u{200b} (approve)")]
fn an_unknown_verb_is_answered_with_the_nearest(#[case] comment: &str, #[case] expected: &str) {
    assert_eq!(only(comment), expected);
}

#[rstest]
#[case::list_item("- @countersign approve a", "Mention approve [a]")]
#[case::numbered_item("1. /approve a", "Slash approve [a]")]
#[case::nested_item("- one\n  - two\n    - /approve a", "Slash approve [a]")]
#[case::item_continued("- one\n  /approve a", "Slash approve [a]")]
#[case::strong("**@countersign approve a**", "Mention approve [a]")]
#[case::strong_and_emphasised("***/approve a***", "Slash approve [a]")]
#[case::strong_handle("**@countersign** approve a", "Mention approve [a]")]
#[case::strong_target("/approve **a** fine", "Slash approve [a fine]")]
#[case::emphasis_over_lines("*Well,\n/approve a*", "Slash approve [a]")]
#[case::heading("## /approve a", "Slash approve [a]")]
#[case::underlined_heading("/approve a\n---", "Slash approve [a]")]
#[case::details("<details>\n<summary>More</summary>\n\n/approve a\n\n</details>", "Slash approve [a]")]
#[case::details_without_blank_lines("<details>\n/approve a\n</details>", "Slash approve [a]")]
#[case::after_a_line("Looks fine.\n/approve a", "Slash approve [a]")]
#[case::after_a_hard_break("Looks fine.  \n/approve a", "Slash approve [a]")]
#[case::after_a_quote("> Really?\n\n/approve a", "Slash approve [a]")]
#[case::after_a_fenced_quote(">>>\nReally?\n>>>\n/approve a", "Slash approve [a]")]
#[case::after_code("```\n>>>\n```\n/approve a", "Slash approve [a]")]
#[case::after_an_html_comment("<!-- x -->\n/approve a", "Slash approve [a]")]
#[case::after_a_fence_in_an_html_comment("<!--\n>>>\n-->\n/approve a", "Slash approve [a]")]
#[case::after_an_unfinished_tag("<div class\n\n/approve a", "Slash approve [a]")]
#[case::after_a_blockquote_element("<blockquote>x</blockquote>\n\n/approve a", "Slash approve [a]")]
#[case::after_code_in_a_list("- ```\n  >>>\n  ```\n\n/approve a", "Slash approve [a]")]
#[case::code_span_as_target("/approve `a*b`", "Slash approve [`a*b`]")]
#[case::backslash_in_a_code_span("/approve `a\\_b`", "Slash approve [`a\\_b`]")]
#[case::stars_within_a_word("/approve review/*/web-*", "Slash approve [review/*/web-*]")]
#[case::escaped_star("/approve review/\\*", "Slash approve [review/*]")]
#[case::windows_line_ends("Fine.\r\n/approve a\r\n", "Slash approve [a]")]
#[case::old_mac_line_ends("Fine.\r/approve a", "Slash approve [a]")]
fn text_is_text_in_lists_emphasis_headings_and_details(#[case] comment: &str, #[case] expected: &str) {
    assert_eq!(only(comment), expected);
}

#[rstest]
#[case::nothing("")]
#[case::prose("Looks good to me, approve production")]
#[case::mention_within_a_line("Hey @countersign approve production")]
#[case::somebody_else("@countersign-bot approve production")]
#[case::somebody_longer("@countersigner approve production")]
#[case::sentence("@countersign. approve production")]
#[case::path("/deploy/approve production")]
#[case::other_slash_word("/merge production")]
#[case::other_bang_word("!important production")]
#[case::bare_status("/status production")]
#[case::bare_help("!help")]
#[case::space_behind_slash("/ approve production")]
#[case::longer_word("/approved production")]
#[case::quote("> /approve production")]
#[case::quote_with_spaces("   > /approve production")]
#[case::quote_in_item("- > /approve production")]
#[case::nested_quotes("> > > /approve production")]
#[case::lazy_continuation("> He said:\n/approve production")]
#[case::lazy_continuation_in_item("> - He said:\n/approve production")]
#[case::lazy_continuation_of_a_link("> [a](b)\n/approve production")]
#[case::fenced_quote(">>>\n/approve production\n>>>")]
#[case::fenced_quote_with_paragraphs(">>>\nHe said\n\n/approve production\n\n>>>")]
#[case::fenced_quote_unclosed(">>>\n/approve production")]
#[case::longer_fenced_quote(">>>>\n>>>\n/approve production\n>>>\n/approve a\n>>>>")]
#[case::indented_fenced_quote("- x\n\n  >>>\n  /approve production\n  >>>")]
#[case::fenced_quote_in_item("- >>>\n  /approve production\n  >>>")]
#[case::fenced_quote_after_code_in_item("- ```\n  x\n  ```\n\n>>>\n/approve production\n>>>")]
#[case::code_open_within_fenced_quote(">>>\n```\n>>>\n\n>>>\n/approve production\n>>>")]
#[case::fence("```\n/approve production\n```")]
#[case::fence_unclosed("```sh\n/approve production")]
#[case::tilde_fence("~~~\n/approve production\n~~~")]
#[case::longer_fence("````\n```\n/approve production\n````")]
#[case::fence_in_item("- ```\n  /approve production\n  ```")]
#[case::indented_code("    /approve production")]
#[case::tab_indented_code("\t/approve production")]
#[case::code_span("`/approve production`")]
#[case::code_span_over_lines("see `what\n/approve production\nis` for")]
#[case::html_comment("<!--\n/approve production\n-->")]
#[case::html_comment_unclosed("<!--\n\n/approve production")]
#[case::html_comment_within_a_paragraph("see <!-- this\n/approve production\n--> there")]
#[case::html_comment_within_html("<div>\n<!--\n/approve production\n-->\n</div>")]
#[case::html_tag_over_lines("<div\n/approve production\n>")]
#[case::pre("<pre>\n/approve production\n</pre>")]
#[case::blockquote_element("<blockquote>\n\n/approve production\n\n</blockquote>")]
#[case::blockquote_in_details("<details>\n<blockquote>\n/approve production\n</blockquote>\n</details>")]
#[case::struck("~~/approve production~~")]
#[case::strong_within_a_line("2 **/approve production**")]
#[case::escaped_emphasis("\\**/approve production*")]
#[case::escaped_behind_emphasis("*\\/approve production*")]
#[case::struck_over_lines("~~No,\n/approve production~~")]
#[case::escaped("\\/approve production")]
#[case::escaped_mention("\\@countersign approve production")]
#[case::escaped_bang("\\!approve production")]
#[case::entity("&#47;approve production")]
#[case::link_text("[see\n/approve production](https://example.com)")]
#[case::link_target("[see](\n/approve\n)")]
#[case::link_definition("[see]:\n/approve")]
#[case::image_description("![see\n/approve production](x.png)")]
#[case::task("- [ ] /approve production")]
#[case::typographic_slash("／approve production")]
#[case::byte_order_mark_within("x\n\u{feff}/approve production")]
#[case::zero_width_space_in_front("\u{200b}/approve production")]
#[case::zero_width_space_in_the_handle("@counter\u{200b}sign approve production")]
fn what_is_not_our_business_is_silent(#[case] comment: &str) {
    assert_eq!(parse(comment), []);
    // A line that may begin with an address makes sure that the rest is really looked at.
    assert_eq!(parse(&format!("/nothing\n\n{comment}")), []);
}

#[test]
fn bare_spellings_can_be_off() {
    let surface = Surface { bare: false, ..surface() };
    let heard = |comment| parse_comment(comment, &surface).unwrap().len();
    assert_eq!((heard("/approve a"), heard("!approve a")), (0, 0));
    assert_eq!((heard("/deploy approve a"), heard("@countersign approve a")), (1, 1));
}

#[test]
fn a_handle_with_underscores_and_digits_is_taken_as_it_is() {
    let surface = Surface { handle: "project_6_bot_a1".to_owned(), bare: true };
    let commands = parse_comment("@project_6_bot_a1 approve _production_", &surface).unwrap();
    assert_eq!(commands.iter().map(told).collect::<Vec<_>>(), ["Mention approve [production]"]);
}

#[test]
fn several_commands_keep_their_lines() {
    let commands = parse("Fine.\n\n/approve a\n> /approve b\n\n@countersign nope\n- !reject c -- no\n");
    let lines: Vec<_> =
        commands.iter().map(|c| c.as_ref().map_or_else(Misunderstood::line, |c| c.line)).collect();
    assert_eq!(lines, [2, 5, 6]);
    let told: Vec<_> = commands.iter().map(told).collect();
    assert_eq!(told, ["Slash approve [a]", "unknown nope (-)", "Bang reject [c -- no]"]);
}

#[rstest]
#[case(10, None)]
#[case(11, Some(TooMany { count: 11 }))]
fn ten_commands_are_the_most(#[case] count: usize, #[case] expected: Option<TooMany>) {
    assert_eq!(parse_comment(&"/approve a\n".repeat(count), &surface()).err(), expected);
}

#[rstest]
#[case::plain("approve production", "Chat approve [production]")]
#[case::nothing("  ", "Chat help []")]
#[case::unknown("aprove", "unknown aprove (approve)")]
#[case::quotes("approve “my production” fine", "Chat approve [\"my production\" fine]")]
#[case::one_long_dash("reject — too early", "Chat reject [-- too early]")]
#[case::dash_in_a_name("approve prod–eu", "Chat approve [prod-eu]")]
#[case::no_break_space("approve\u{a0}production", "Chat approve [production]")]
#[case::line_breaks("reject a\ntoo early", "Chat reject [a too early]")]
#[case::markdown_means_nothing("approve *a*", "Chat approve [*a*]")]
#[case::look_alike_letter("аpprove production", "unknown аpprove (approve)")]
fn a_chat_sends_the_text_alone(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(told(&parse_chat(text)), expected);
}

#[test]
fn a_verb_is_found_by_each_of_its_words_and_no_two_share_one() {
    let all: Vec<_> =
        Verb::ALL.into_iter().flat_map(|verb| verb.words().map(move |word| (word, verb))).collect();
    for (word, verb) in &all {
        assert_eq!(Verb::from_word(word), Some(*verb));
    }
    assert!(Verb::ALL.into_iter().all(|verb| verb.usage().starts_with(verb.name())));
}

#[rstest]
#[case::one_endless_line("@countersign approve ".to_owned() + &"*a_`[<".repeat(170_000))]
#[case::deep_quotes(">".repeat(500_000) + "\n/approve a\n" + &"> ".repeat(250_000))]
#[case::many_quotes(">>>\nx\n>>>\n".repeat(100_000) + "/approve a")]
#[case::deep_lists("- ".repeat(300_000) + "\n/approve a")]
#[case::many_lines("text *and* `code` <b>\n".repeat(45_000) + "/approve a")]
#[case::many_comments("<!-- <pre> \n".repeat(90_000) + "\n/approve a")]
#[case::open_brackets("[".repeat(1_000_000) + "\n/approve a")]
#[case::open_emphasis("*a **b ".repeat(140_000) + "\n/approve a")]
fn a_megabyte_is_read_to_its_end(#[case] comment: String) {
    assert!(parse(&comment).len() <= 1);
}

/// Lines of the sort that meets in comments, the dangerous ones among them.
fn any_line() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        "/approve a",
        "@countersign approve b",
        "!reject c -- no",
        "/deploy why",
        "@countersign nope",
        "> quote",
        ">>>",
        "> >>>",
        "```",
        "~~~~",
        "    code",
        "- item",
        "1. /approve d",
        "<!--",
        "-->",
        "<blockquote>",
        "</blockquote>",
        "<details>",
        "**@countersign approve a**",
        "`code",
        "~~struck",
        "[link",
        "](x)",
        "[x]:",
        "***",
        "---",
        "\t/approve e",
        "text",
    ])
    .prop_map(str::to_owned);
    prop_oneof![4 => known, 1 => "[ -~]{0,12}", 1 => "[@/!]?[a-z>`~*<_ -]{0,12}"]
}

fn any_comment() -> impl Strategy<Value = String> {
    prop::collection::vec(any_line(), 0..12).prop_map(|lines| lines.join("\n"))
}

/// What was read, without the numbers of the lines.
fn read(comment: &str) -> Option<Vec<String>> {
    parse_comment(comment, &surface()).ok().map(|commands| commands.iter().map(told).collect())
}

proptest! {
    #[test]
    fn no_text_is_too_strange(comment in any::<String>(), words in "\\PC*") {
        let _ = parse_comment(&comment, &surface());
        let _ = parse_comment(&format!("@countersign approve {words}"), &surface());
        if let Ok(command) = parse_chat(&format!("approve {words}")) {
            let _ = command.resolve(&["production", "my production", " "], false);
        }
    }

    #[test]
    fn a_quote_is_silent(comment in any_comment()) {
        let quoted: Vec<_> = comment.split('\n').map(|line| format!("> {line}")).collect();
        prop_assert_eq!(read(&quoted.join("\n")), Some(vec![]));
    }

    #[test]
    fn a_fence_is_silent(comment in any_comment(), fence in prop::sample::select(vec!['`', '~'])) {
        let fence = fence.to_string().repeat(comment.len() + 3);
        let fenced = format!("{fence}\n{comment}\n{fence}");
        prop_assert_eq!(read(&fenced), Some(vec![]));
    }

    #[test]
    fn prose_around_changes_nothing_but_the_lines(comment in any_comment()) {
        let longer = format!("Dear all,\n\n{comment}\n\nYours, dana");
        prop_assert_eq!(read(&comment), read(&longer));
    }

    #[test]
    fn line_ends_are_all_the_same(comment in any_comment()) {
        let plain = parse_comment(&comment, &surface());
        prop_assert_eq!(&plain, &parse_comment(&comment.replace('\n', "\r\n"), &surface()));
        prop_assert_eq!(&plain, &parse_comment(&comment.replace('\n', "\r"), &surface()));
    }
}

mod targets {
    use super::*;

    const NAMES: [&str; 7] = [
        "production",
        "staging",
        "my production",
        "my production eu",
        "production/eu",
        "production/us",
        "d7",
    ];

    fn resolve(words: &str, exact_case: bool) -> Result<Resolved, TargetError> {
        parse_chat(&format!("approve {words}")).unwrap().resolve(&NAMES, exact_case)
    }

    fn environment(name: &str) -> Target {
        Target::Environment(name.to_owned())
    }

    #[rstest]
    #[case::none("", Target::None, None)]
    #[case::reason_alone("-- looks good", Target::None, Some("looks good"))]
    #[case::dashes_alone("--", Target::None, None)]
    #[case::environment("production", environment("production"), None)]
    #[case::reason("production looks good", environment("production"), Some("looks good"))]
    #[case::reason_behind_dashes("production -- looks good", environment("production"), Some("looks good"))]
    #[case::longest_name("my production eu fine", environment("my production eu"), Some("fine"))]
    #[case::shorter_name("my production fine", environment("my production"), Some("fine"))]
    #[case::more_spaces("my   production  eu", environment("my production eu"), None)]
    #[case::quoted("\"my production\" eu", environment("my production"), Some("eu"))]
    #[case::single_quotes("'staging'", environment("staging"), None)]
    #[case::code_span("`my production`", environment("my production"), None)]
    #[case::double_backticks("``staging`` fine", environment("staging"), Some("fine"))]
    #[case::number("d4711 fine", Target::Number(4711), Some("fine"))]
    #[case::capital_number("D4711", Target::Number(4711), None)]
    #[case::hash_number("#4711", Target::Number(4711), None)]
    #[case::number_before_name("d7", Target::Number(7), None)]
    #[case::quoted_name_before_number("\"d7\"", environment("d7"), None)]
    #[case::quoted_number("`d8`", Target::Number(8), None)]
    fn a_target_and_a_reason(#[case] words: &str, #[case] target: Target, #[case] reason: Option<&str>) {
        assert_eq!(resolve(words, true), Ok(Resolved { target, reason: reason.map(str::to_owned) }));
    }

    #[rstest]
    #[case::segment("production/*", "production/*", &["production/eu", "production/us"])]
    #[case::in_backticks("`production/*` fine", "production/*", &["production/eu", "production/us"])]
    #[case::in_quotes("\"my *\"", "my *", &["my production", "my production eu"])]
    #[case::across("**us", "**us", &["production/us"])]
    fn a_glob_names_what_it_matches(#[case] words: &str, #[case] pattern: &str, #[case] names: &[&str]) {
        let environments = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            resolve(words, true).unwrap().target,
            Target::Glob { pattern: pattern.to_owned(), environments }
        );
    }

    #[rstest]
    #[case::misspelt("prodution", "prodution", Some("production"))]
    #[case::misspelt_with_reason("stagin looks good", "stagin", Some("staging"))]
    #[case::only_the_case("Production", "Production", Some("production"))]
    #[case::quoted("\"my prodution\"", "my prodution", Some("my production"))]
    #[case::punctuation("production.", "production.", Some("production"))]
    #[case::a_reason("because", "because", None)]
    #[case::number_without_letter("4711", "4711", Some("d4711"))]
    #[case::number_zero("d0", "d0", Some("d7"))]
    #[case::endless_number("d99999999999999999999", "d99999999999999999999", None)]
    #[case::look_alike_letter("prоduction", "prоduction", Some("production"))]
    fn an_unknown_word_is_never_a_reason(
        #[case] words: &str,
        #[case] word: &str,
        #[case] near: Option<&str>,
    ) {
        let did_you_mean = near.map(str::to_owned);
        assert_eq!(resolve(words, true), Err(TargetError::Unknown { word: word.to_owned(), did_you_mean }));
    }

    #[rstest]
    #[case::glob_of_nothing("dev/*", TargetError::NoMatch { pattern: "dev/*".to_owned() })]
    #[case::not_a_glob("***", TargetError::BadGlob { pattern: "***".to_owned(), fault: crate::domain::glob::BadGlob::TooManyStars })]
    #[case::quote_unclosed("\"my production", TargetError::BrokenQuote { word: "my".to_owned() })]
    #[case::quote_within_a_word("\"my\"production", TargetError::BrokenQuote { word: "my\"production".to_owned() })]
    #[case::quoted_nothing("\"\"", TargetError::BrokenQuote { word: String::new() })]
    fn what_names_nothing_says_why(#[case] words: &str, #[case] expected: TargetError) {
        assert_eq!(resolve(words, true), Err(expected));
    }

    #[test]
    fn case_may_be_all_the_same() {
        assert_eq!(resolve("PRODUCTION", false).unwrap().target, environment("production"));
        assert_eq!(resolve("\"My Production\"", false).unwrap().target, environment("my production"));
        let glob = resolve("Production/E*", false).unwrap().target;
        assert_eq!(
            glob,
            Target::Glob {
                pattern: "Production/E*".to_owned(),
                environments: vec!["production/eu".to_owned()]
            }
        );
    }

    #[rstest]
    #[case("QA", "QA")]
    #[case("qa", "qa")]
    fn an_exact_match_comes_first(#[case] words: &str, #[case] expected: &str) {
        let command = parse_chat(&format!("approve {words}")).unwrap();
        assert_eq!(command.resolve(&["qa", "QA"], false).unwrap().target, environment(expected));
        assert_eq!(command.resolve(&["QA", "qa"], false).unwrap().target, environment(expected));
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let reason = resolve(&format!("staging {}", "ü".repeat(3_000)), true).unwrap().reason.unwrap();
        assert_eq!(reason, "ü".repeat(LONGEST_REASON));
    }

    #[test]
    fn an_endless_word_is_shortened_in_the_answer() {
        let Err(TargetError::Unknown { word, .. }) = resolve(&"x".repeat(5_000), true) else {
            panic!("it names nothing");
        };
        assert_eq!(word, "x".repeat(LONGEST_EXCERPT) + "…");
    }

    #[test]
    fn words_behind_help_mean_nothing() {
        let command = parse_chat("help me \"please").unwrap();
        assert_eq!(command.resolve(&NAMES, true), Ok(Resolved { target: Target::None, reason: None }));
    }
}
