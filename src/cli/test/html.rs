//! Coverage as one page that needs nothing else: no script, no other file, and nothing of a policy that acts in it.

use std::fmt::Write as _;

use verdict::policy::testing::{Coverage, FileCoverage, Share};

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coverage of policies</title>
<style>
:root { color-scheme: light dark; --hit: #d7f5dd; --miss: #fbdcdc; --part: #fdf1cd; --faint: #6b7280; --line: #d1d5db }
@media (prefers-color-scheme: dark) { :root { --hit: #14391f; --miss: #4d1a1a; --part: #4a3b10; --faint: #9ca3af; --line: #374151 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse } th, td { padding: .15rem .75rem; text-align: left } th { border-bottom: 1px solid var(--line) }
.n { text-align: right; font-variant-numeric: tabular-nums } .faint { color: var(--faint) }
.hit { background: var(--hit) } .miss { background: var(--miss) } .part { background: var(--part) }
summary { cursor: pointer } h2 { display: inline; font-size: 1.1rem } details { margin: 1.5rem 0 }
.source { font: 13px/1.45 ui-monospace, monospace; margin-top: 1rem; width: 100% } .source td { padding: 0 .75rem; white-space: pre-wrap; tab-size: 4 }
.source td.n { color: var(--faint); width: 1%; user-select: none; white-space: nowrap }
</style>
</head>
<body>
"#;

pub(super) fn page(coverage: &Coverage) -> String {
    let mut out = String::from(HEAD);
    let (lines, rules) = (coverage.lines(), coverage.rules());
    let _ = writeln!(
        out,
        "<h1>Coverage of policies</h1>\n<p><strong>{}</strong> of lines ({}), {} of rules ({}).</p>",
        percent(lines),
        share(lines),
        percent(rules),
        share(rules),
    );
    out.push_str(
        "<table>\n<tr><th>File</th><th class=\"n\">Lines</th><th></th><th class=\"n\">Rules</th><th></th></tr>\n",
    );
    for (number, (path, file)) in coverage.files.iter().enumerate() {
        let _ = write!(out, "<tr><td><a href=\"#f{number}\">{}</a></td>", escaped(path));
        shares(&mut out, [file.share(), file.rules_share()]);
    }
    out.push_str("<tr><th>In all</th>");
    shares(&mut out, [lines, rules]);
    out.push_str("</table>\n");
    for (number, (path, file)) in coverage.files.iter().enumerate() {
        let _ = writeln!(
            out,
            "<details open id=\"f{number}\">\n<summary><h2>{}</h2> {}</summary>",
            escaped(path),
            percent(file.share())
        );
        rules_of(&mut out, number, file);
        source_of(&mut out, number, file);
        out.push_str("</details>\n");
    }
    out.push_str("</body>\n</html>");
    out
}

fn rules_of(out: &mut String, number: usize, file: &FileCoverage) {
    out.push_str("<table>\n<tr><th>Rule</th><th class=\"n\">Line</th><th class=\"n\">Tests</th><th class=\"n\">Lines</th></tr>\n");
    for rule in &file.rules {
        let _ = writeln!(
            out,
            "<tr class=\"{}\"><td><a href=\"#f{number}l{}\">{}</a></td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            match rule.share() {
                Share { covered: 0, .. } => "miss",
                Share { covered, all } if covered < all => "part",
                _ => "hit",
            },
            rule.first,
            escaped(&rule.name),
            rule.first,
            rule.hits,
            share(rule.share()),
        );
    }
    out.push_str("</table>\n");
}

fn source_of(out: &mut String, number: usize, file: &FileCoverage) {
    out.push_str("<table class=\"source\">\n");
    for (line, text) in (1_u32..).zip(file.text.lines()) {
        let (class, hits) = match file.lines.get(&line) {
            None => ("", String::new()),
            Some(0) => (" class=\"miss\"", "0".to_owned()),
            Some(hits) => (" class=\"hit\"", format!("{hits}×")),
        };
        let _ = writeln!(
            out,
            "<tr{class} id=\"f{number}l{line}\"><td class=\"n\">{line}</td><td class=\"n\">{hits}</td><td>{}</td></tr>",
            escaped(text),
        );
    }
    out.push_str("</table>\n");
}

fn shares(out: &mut String, of: [Share; 2]) {
    for one in of {
        let _ = write!(out, "<td class=\"n\">{}</td><td class=\"faint\">{}</td>", percent(one), share(one));
    }
    out.push_str("</tr>\n");
}

fn percent(share: Share) -> String {
    format!("{:.2} %", share.percent())
}

fn share(share: Share) -> String {
    format!("{} of {}", share.covered, share.all)
}

/// Text for an element or an attribute: nothing in it is markup, controls the page, or turns the direction of writing,
/// so that the page shows what the evaluator read.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' => out.push('\t'),
            other if other.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_policy_is_markup() {
        assert_eq!(
            escaped("<script src='x'>&\"\u{1b}\u{202e}\t"),
            "&lt;script src=&#39;x&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}\t"
        );
    }
}
