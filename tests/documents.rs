//! Documents and comments: paths that exist, short and plain sentences, and how many shared files name one operator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A sentence with more words than this is two sentences.
const MOST_WORDS: usize = 35;

/// Phrases that readers stop at, each with what to write instead. One with a capital letter is matched as written, any other in either case.
const PHRASES: &[(&str, &str)] = &[
    ("Those of", "name the noun"),
    ("The same with", "`Like .., with`"),
    ("so many", "name the number, or `n`"),
    ("in the place of", "`instead of`"),
    ("but for", "`except`"),
    ("cut to", "`clamped to` or `cropped to`"),
    ("cut into", "`split into`"),
    ("at the most", "`at most`"),
    ("goes about", "`processes` or `computes`"),
    ("goes on", "`continues`"),
    ("brought to", "`scaled to`"),
    ("none where", "`0 if`, or a sentence with a subject"),
    ("is told", "`is detected by` or `is passed`"),
    ("are told", "`are detected by` or `are passed`"),
    ("can tell", "`show a difference`"),
    ("tells", "`lists`, `shows` or `reports`"),
    ("leaves `u64`", "`overflows u64`"),
    ("the lack of", "`a missing ..`"),
    ("no use for", "`does not take`"),
    ("can have of", "name the thing that is counted"),
    ("as often as", "name the number"),
    ("all the same", "`anyway`, or leave it out"),
    ("in turns", "`in chunks`"),
    ("that there are", "`known` or `available`"),
    ("where there is one", "`if any`, or name the condition"),
    ("where there are any", "`if any`, or name the condition"),
    ("to be had", "`available`"),
    ("a stranger", "`another program`"),
    ("of it.", "name the noun"),
    ("of it,", "name the noun"),
    ("of it:", "name the noun"),
    ("of it;", "name the noun"),
    ("of those,", "name the noun"),
];

/// After these a full stop ends no sentence.
const ABBREVIATIONS: &[&str] = &["al.", "cf.", "e.g.", "Eq.", "Eqs.", "Fig.", "Figs.", "i.e.", "No.", "Sec.", "vs."];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Files of a folder and of the folders inside it, by their path in the repository.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Prose without line breaks, and the line that each piece of it comes from.
#[derive(Default)]
struct Paragraph {
    text: String,
    /// Byte of `text`, then line of the file.
    lines: Vec<(usize, usize)>,
}

impl Paragraph {
    fn push(&mut self, line: usize, text: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.lines.push((self.text.len(), line));
        self.text.push_str(text.trim());
    }

    fn line(&self, at: usize) -> usize {
        self.lines.iter().rev().find(|(start, _)| *start <= at).map_or(0, |&(_, line)| line)
    }

    /// The text with each code span as one word, and without the addresses of links. Bytes stay where they are.
    fn without_code(&self) -> String {
        let mut plain = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find(['`', ']']) {
            let (code, link) = (&rest[at..], rest[at..].strip_prefix("]("));
            let span = match link {
                Some(link) => link.find(')').map(|end| end + 3),
                None => code.strip_prefix('`').and_then(|code| code.find('`')).map(|end| end + 2),
            };
            let end = at + span.unwrap_or(1);
            plain.push_str(&rest[..at]);
            if code.starts_with(']') {
                plain += "]";
                plain.push_str(&" ".repeat(end - at - 1));
            } else {
                plain.push_str(&"X".repeat(end - at));
            }
            rest = &rest[end..];
        }
        plain + rest
    }

    /// Where each sentence starts, and how many words it has.
    fn sentences(&self) -> Vec<(usize, usize)> {
        let plain = self.without_code();
        let mut found = Vec::new();
        let mut start = 0;
        for (at, _) in plain.match_indices(['.', '!', '?']) {
            let (before, after) = (&plain[start..=at], plain[at + 1..].trim_start_matches([')', '"', '*']));
            let next = after.trim_start().chars().next();
            let ends =
                (after.is_empty() || after.starts_with(' ')) && next.is_none_or(|c| !c.is_lowercase() && c != '.');
            let word = before.rsplit([' ', '(']).next().unwrap_or_default();
            if ends && !ABBREVIATIONS.contains(&word) {
                found.push((start, words(before)));
                start = at + 1;
            }
        }
        found.push((start, words(&plain[start..])));
        let first = |start: usize| start + plain[start..].len() - plain[start..].trim_start().len();
        found.into_iter().filter(|&(_, words)| words > 0).map(|(start, words)| (first(start), words)).collect()
    }

    /// Where each of [`PHRASES`] stands, by its place in the list.
    fn phrases(&self) -> Vec<(usize, usize)> {
        let lower = self.text.to_ascii_lowercase();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let mut found = Vec::new();
        for (index, (phrase, _)) in PHRASES.iter().enumerate() {
            let text = if phrase.contains(char::is_uppercase) { &self.text } else { &lower };
            for (at, _) in text.match_indices(phrase) {
                let (before, after) = (&text[..at], &text[at + phrase.len()..]);
                let open = inside(phrase.chars().next_back()) && inside(after.chars().next());
                if !inside(before.chars().next_back()) && !open {
                    found.push((at, index));
                }
            }
        }
        found
    }
}

/// A shape in brackets is one word, and so is anything else that has letters and no space.
fn words(text: &str) -> usize {
    let mut inside = false;
    let counts = |word: &&str| {
        let first = !inside;
        inside = (inside || word.starts_with('[') && word.ends_with(',')) && !word.contains(']');
        first && word.contains(char::is_alphabetic)
    };
    text.split_whitespace().filter(counts).count()
}

/// Paragraphs of Markdown, without code blocks and tables. A line without text ends a paragraph and a code block.
fn paragraphs<'a>(lines: impl IntoIterator<Item = (usize, Option<&'a str>)>) -> Vec<Paragraph> {
    let mut found = vec![Paragraph::default()];
    let mut fenced = false;
    for (line, text) in lines {
        let trimmed = text.unwrap_or_default().trim();
        let item = trimmed.split_once(' ').filter(|(mark, _)| {
            *mark == "-" || mark.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok())
        });
        let fence = trimmed.starts_with("```");
        let heading = trimmed.starts_with('#');
        let (table, reference) = (trimmed.starts_with('|'), trimmed.starts_with('[') && trimmed.contains("]: "));
        fenced = text.is_some() && fenced != fence;
        if trimmed.is_empty() || fence || heading || item.is_some() || table || reference {
            found.push(Paragraph::default());
        }
        if !(fenced || fence || table || reference || trimmed.is_empty()) {
            let text = item.map_or(trimmed, |(_, text)| text).trim_start_matches('#');
            found.last_mut().unwrap().push(line, text);
        }
        if heading {
            found.push(Paragraph::default());
        }
    }
    found.retain(|paragraph| !paragraph.text.is_empty());
    found
}

fn of_markdown(text: &str) -> Vec<Paragraph> {
    // In a document an empty line does not end a code block.
    paragraphs((1..).zip(text.lines()).map(|(line, text)| (line, Some(text))))
}

/// The comments of Rust or WGSL. In WGSL, an indented line is a formula, and one that starts with a label is a field of the header.
fn of_comments(text: &str, wgsl: bool) -> Vec<Paragraph> {
    let mut lines = Vec::new();
    let mut last = "";
    for (line, text) in (1..).zip(text.lines()) {
        let code = text.trim_start();
        let mark = ["//!", "///", "//"].into_iter().find(|mark| code.starts_with(mark)).unwrap_or_default();
        if mark.is_empty() {
            lines.push((line, None));
            let trailing = text.find(" // ").filter(|&at| text[..at].matches('"').count().is_multiple_of(2));
            lines.extend(trailing.map(|at| (line, Some(&text[at + 4..]))));
            lines.extend(trailing.map(|_| (line, None)));
        } else {
            let comment = &code[mark.len()..];
            let indent = comment.len() - comment.trim_start().len();
            let field = wgsl && comment.trim().split_once("  ").is_some_and(|(label, _)| !label.contains(' '));
            let formula = wgsl && (2..10).contains(&indent);
            if mark != last || field || formula {
                lines.push((line, None));
            }
            if !formula {
                lines.push((line, Some(comment)));
            }
        }
        last = mark;
    }
    paragraphs(lines)
}

/// `file:line: what` for each sentence that is too long and each phrase of the list.
fn faults(path: &str, paragraphs: &[Paragraph]) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in paragraphs {
        let mut faults = Vec::new();
        for (at, words) in paragraph.sentences().into_iter().filter(|&(_, words)| words > MOST_WORDS) {
            let start = paragraph.text[at..].split(' ').take(8).collect::<Vec<_>>().join(" ");
            faults.push((at, format!("{words} words: {start} ..")));
        }
        for (at, index) in paragraph.phrases() {
            let (phrase, plain) = PHRASES[index];
            faults.push((at, format!("\"{phrase}\": {plain}")));
        }
        faults.sort();
        found.extend(faults.into_iter().map(|(at, what)| format!("{path}:{}: {what}", paragraph.line(at))));
    }
    found
}

#[test]
fn sentences_are_short_and_plain() {
    let documents =
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "bindings/python/README.md", "bindings/web/README.md"]
            .map(|path| (path.to_owned(), of_markdown(&read(path))));
    let rust = [files("src", ".rs"), files("bindings/python/src", ".rs"), files("bindings/web/src", ".rs")].concat();
    let rust = rust.into_iter().map(|path| (of_comments(&read(&path), false), path));
    let wgsl = files("shaders", ".wgsl").into_iter().map(|path| (of_comments(&read(&path), true), path));
    let mut sentences = 0;
    let mut found = Vec::new();
    let mut by_folder = BTreeMap::<String, usize>::new();
    for (path, paragraphs) in documents.into_iter().chain(rust.chain(wgsl).map(|(paragraphs, path)| (path, paragraphs)))
    {
        sentences += paragraphs.iter().map(|paragraph| paragraph.sentences().len()).sum::<usize>();
        let faults = faults(&path, &paragraphs);
        if !faults.is_empty() {
            *by_folder.entry(path.rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned()).or_default() +=
                faults.len();
        }
        found.extend(faults);
    }
    assert!(sentences > 1000, "only {sentences} sentences were found");
    let count = found.len();
    assert!(
        found.is_empty(),
        "{count} places in {sentences} sentences, by folder {by_folder:?}; see `Words` in CONTRIBUTING.md:\n{}",
        found.join("\n")
    );
}

#[test]
fn faults_of_prose_are_found() {
    let long = "word ".repeat(MOST_WORDS) + "`code is one word` [a](https://link.org) = 3 [n, c, h].";
    let rust =
        format!("/// Good, but for this, Eq. 3.\n/// Goes `on`.\nlet text = \"// so many\"; // Those of\n/// {long}\n");
    let found = faults("file", &of_comments(&rust, false));
    assert_eq!(
        found,
        [
            "file:1: \"but for\": `except`",
            "file:3: \"Those of\": name the noun",
            "file:4: 38 words: word word word word word word word word .."
        ]
    );
    let wgsl =
        "// A kernel with one part\n// of it.\n//   so many = 3\n// Shapes    x [n, c]\n//           but for y\n";
    assert_eq!(
        faults("file", &of_comments(wgsl, true)),
        ["file:2: \"of it.\": name the noun", "file:5: \"but for\": `except`"]
    );
    let markdown = "# so many\n| so many |\n```\nso many\n\nso many\n```\n- one\n- so\n  many\n";
    let found = faults("file", &of_markdown(markdown));
    assert_eq!(found.iter().map(|fault| fault.split(' ').next().unwrap()).collect::<Vec<_>>(), ["file:1:", "file:9:"]);
}

/// Code spans and link targets of a document that look like paths of the repository.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let spans = line.split('`').skip(1).step_by(2);
        let targets = line.split("](").skip(1).map(|link| link.split([')', '#']).next().unwrap_or_default());
        let is_path = |text: &&str| {
            let known = [".rs", ".md", ".wgsl", ".tsv", ".sh", ".py"].iter().any(|end| text.ends_with(end));
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            // FILE, or STEM.wgsl; README.md is a name.
            let placeholder = |part: &str| {
                let stem = part.strip_suffix(".md").map_or(part, |_| "");
                let stem = stem.split('.').next().unwrap_or_default();
                stem.len() > 1 && stem.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            };
            (known || text.contains('/')) && plain && !text.split('/').any(placeholder)
        };
        found.extend(spans.chain(targets).filter(is_path).map(str::to_owned));
    }
    found
}

#[test]
fn paths_exist() {
    let text = "`src/lib.rs` `README.md` `tests/golden/FILE` `STEM.wgsl` `a * b/c` `shaders/<kernel>.wgsl` [x](y.md#z)";
    assert_eq!(paths(text), ["src/lib.rs", "README.md", "y.md"]);
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let paths = paths(&read(document));
        assert!(paths.len() > 10, "{document}: only {paths:?} were found");
        // Made by builds and runs.
        let missing: Vec<_> =
            paths.iter().filter(|path| !path.starts_with("target/") && !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{document} names files that do not exist: {missing:?}");
    }
}

/// Files beside an operator's own that name it. Lower it whenever it falls.
const FILES_THAT_NAME_WINDOW_POOL: usize = 13;

#[test]
fn stem_window_pool_is_in_few_shared_files() {
    let benches = files("benches", ".rs").into_iter().filter(|path| path.matches('/').count() == 1);
    let shared = files("src", ".rs").into_iter().chain(files("tests", ".rs")).chain(benches);
    let naming: Vec<_> = shared
        .filter(|path| {
            !path.ends_with("/window_pool.rs")
                && !path.ends_with("/window_pool_backward.rs")
                && path != "tests/documents.rs"
        })
        .filter(|path| read(path).replace("window_pool_backward", "").contains("window_pool"))
        .collect();
    assert!(naming.len() <= FILES_THAT_NAME_WINDOW_POOL, "{} files: {naming:#?}", naming.len());
}

/// README's tables and the crate's front page list the same operators: those that the crate exports.
#[test]
fn every_operator_is_in_both_tables() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let (front_page, readme) = (read("src/lib.rs"), read("README.md"));
    let buffers = front_page.split(|c: char| !c.is_alphanumeric()).filter_map(|word| word.strip_suffix("Buffers"));
    // An operator has buffers. Two structs of buffers are parts of an operator's.
    let operators: BTreeSet<_> = buffers.filter(|name| !["", "Label", "WindowWeights"].contains(name)).collect();
    assert!(operators.len() > 20, "{operators:?}");
    let listed = |text: &str, start: &str, name_of: fn(&str) -> Option<&str>| -> BTreeSet<String> {
        let rows = text.lines().filter_map(|line| line.strip_prefix(start));
        rows.filter_map(|row| Some(name_of(row)?.to_owned()))
            .filter(|name| name.starts_with(char::is_uppercase))
            .collect()
    };
    let operators: BTreeSet<_> = operators.into_iter().map(str::to_owned).collect();
    assert_eq!(listed(&readme, "| `", |row| Some(row.split_once('`')?.0)), operators, "README.md");
    assert_eq!(listed(&front_page, "//! | [`", |row| Some(row.split_once('`')?.0)), operators, "src/lib.rs");
}
