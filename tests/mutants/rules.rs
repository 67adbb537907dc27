//! Faults made by rules, for whatever nobody thinks of: each is a range of a shader's text and what stands there instead.

use std::ops::Range;

/// How many faults of one rule a file gives at most: they are spread evenly over it. Bases, origins and barriers are few, and all taken.
const FEW: usize = 5;

/// One change of a file.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) rule: &'static str,
    pub(crate) range: Range<usize>,
    pub(crate) instead: String,
}

type Found = Vec<(Range<usize>, String)>;
/// A name, what it finds in the code of a line, and how much of it is taken.
type Rule = (&'static str, fn(&str) -> Found, usize);

const RULES: [Rule; 8] = [
    ("base dropped", bases, usize::MAX),
    ("origin dropped", origins, usize::MAX),
    ("barrier dropped", barriers, usize::MAX),
    ("bound moved", bounds, FEW),
    ("axes exchanged", axes, FEW),
    ("condition negated", conditions, FEW),
    ("min and max exchanged", extremes, FEW),
    ("constant moved", constants, FEW),
];

/// Every change that the rules make of a file.
pub(crate) fn changes(text: &str) -> Vec<Change> {
    let mut all = Vec::new();
    for (rule, find, most) in RULES {
        let found: Vec<_> = code(text)
            .flat_map(|(start, line)| {
                let found = find(line).into_iter();
                found.map(move |(range, instead)| (start + range.start..start + range.end, instead))
            })
            .collect();
        let taken = found.len().min(most);
        let spread = (0..taken).map(|index| found[index * found.len() / taken].clone());
        all.extend(spread.map(|(range, instead)| Change { rule, range, instead }));
    }
    all
}

/// Lines of code, without comments, and where they start. What the host sets, and names, are not code.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        start += line.len();
        (start - line.len(), line.split("//").next().unwrap_or_default())
    });
    lines.filter(|(_, line)| {
        let line = line.trim_start();
        !["@", "struct", "override", "alias", "var<workgroup>", "fn "].iter().any(|word| line.starts_with(word))
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands alone: not as a part of a longer one.
fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    line.match_indices(word).map(move |(at, _)| at..at + word.len()).filter(move |range| {
        let bytes = line.as_bytes();
        let before = range.start.checked_sub(1).is_none_or(|at| !is_word(bytes[at]) || !is_word(bytes[range.start]));
        before && bytes.get(range.end).is_none_or(|&byte| !is_word(byte))
    })
}

/// The word that starts at `start`.
fn word_at(line: &str, start: usize) -> &str {
    let rest = &line[start..];
    &rest[..rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len())]
}

fn members(line: &str, wanted: fn(&str) -> bool) -> Found {
    let members = line.match_indices("params.").map(|(at, start)| (at, word_at(line, at + start.len())));
    let wanted = members.filter(|(_, member)| wanted(member));
    wanted.map(|(at, member)| (at..at + "params.".len() + member.len(), "0u".to_owned())).collect()
}

fn bases(line: &str) -> Found {
    members(line, |member| member.ends_with("_base"))
}

fn origins(line: &str) -> Found {
    members(line, |member| member.starts_with("origin") || ["first_plane", "first_image", "plane"].contains(&member))
}

fn barriers(line: &str) -> Found {
    words(line, "workgroupBarrier").map(|range| (range.start..range.end + 3, String::new())).collect()
}

/// Comparisons have spaces around them, types have none.
fn bounds(line: &str) -> Found {
    let pairs = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > ")];
    let mut found: Found = Vec::new();
    for (from, to) in pairs {
        found.extend(line.match_indices(from).map(|(at, _)| (at..at + from.len(), to.to_owned())));
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// All axes of a line that computes an index, at once.
fn axes(line: &str) -> Found {
    let computes = line.contains('[') || line.contains(" * ");
    let pairs = [("height", "width"), ("row", "column"), ("rows", "columns"), ("x", "y"), ("wide", "high")];
    let mut places: Found = Vec::new();
    for (one, other) in pairs {
        for (from, to) in [(one, other), (other, one)] {
            for (at, _) in line.match_indices(from) {
                let range = at..at + from.len();
                let bytes = line.as_bytes();
                let part = |byte: u8| byte.is_ascii_alphanumeric();
                let alone = !range.start.checked_sub(1).is_some_and(|at| part(bytes[at]))
                    && !bytes.get(range.end).is_some_and(|&byte| part(byte));
                // A component, or a name that ends with the axis and is the parameters'.
                let member = range.start > 0 && (bytes[range.start - 1] == b'.' || bytes[range.start - 1] == b'_');
                if alone && member {
                    places.push((range, to.to_owned()));
                }
            }
        }
    }
    places.sort_by_key(|(range, _)| range.start);
    let (Some((first, _)), Some((last, _)), true) = (places.first(), places.last(), computes) else {
        return Vec::new();
    };
    let (start, end) = (first.start, last.end);
    let mut instead = String::new();
    let mut at = start;
    for (range, to) in &places {
        instead += &line[at..range.start];
        instead += to;
        at = range.end;
    }
    vec![(start..end, instead)]
}

/// Of an `if` that stands on one line.
fn conditions(line: &str) -> Found {
    let conditions = words(line, "if").filter_map(|range| {
        let start = range.end + 1;
        let end = start + line.get(start..)?.find(" {")?;
        (!line[..range.start].ends_with("break ")).then(|| (start..end, format!("!({})", &line[start..end])))
    });
    conditions.collect()
}

fn extremes(line: &str) -> Found {
    let mut found: Found = Vec::new();
    for (from, to) in [("min", "max"), ("max", "min")] {
        let calls = words(line, from).filter(|range| line[range.end..].starts_with('('));
        found.extend(calls.map(|range| (range, to.to_owned())));
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// The next whole number; of a float the next last digit.
fn constants(line: &str) -> Found {
    let bytes = line.as_bytes();
    let mut found: Found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let starts = bytes[at].is_ascii_digit() && (at == 0 || !is_word(bytes[at - 1]) && bytes[at - 1] != b'.');
        if !starts {
            at += 1;
            continue;
        }
        let digits = |from: usize| line[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut end = at + digits(at);
        let float = bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if float {
            end += 1 + digits(end + 1);
        }
        let hexadecimal = bytes.get(end) == Some(&b'x');
        if !hexadecimal && float {
            let digit = bytes[end - 1];
            let next = if digit == b'9' { b'8' } else { digit + 1 };
            found.push((end - 1..end, char::from(next).to_string()));
        } else if !hexadecimal && let Ok(number) = line[at..end].parse::<u64>() {
            found.push((at..end, (number + 1).to_string()));
        }
        while end < bytes.len() && is_word(bytes[end]) {
            end += 1;
        }
        at = end;
    }
    found
}

/// What the rules find in a line, so that one that finds nothing any more is noticed.
pub(crate) fn check() {
    let of = |rule: &str, line: &str| -> Vec<String> {
        let all = changes(line).into_iter().filter(|change| change.rule == rule);
        all.map(|Change { range, instead, .. }| [&line[..range.start], &instead, &line[range.end..]].concat()).collect()
    };
    assert_eq!(
        of("base dropped", "y[params.y_base + i] = 1.5; // params.x_base"),
        ["y[0u + i] = 1.5; // params.x_base"]
    );
    assert_eq!(of("origin dropped", "let x = params.origin_x + params.first_plane;").len(), 2);
    assert_eq!(of("barrier dropped", "    workgroupBarrier();\n"), ["    \n"]);
    assert_eq!(of("bound moved", "if a < b && array<f32, 4>(c) >= d {").len(), 2);
    assert_eq!(
        of("axes exchanged", "let i = (g.y * params.height + y) * params.width + g.x;"),
        ["let i = (g.x * params.width + y) * params.height + g.y;"]
    );
    assert_eq!(of("condition negated", "} else if a < b {"), ["} else if !(a < b) {"]);
    assert_eq!(of("condition negated", "continuing { break if a < b; }").len(), 0);
    assert_eq!(of("min and max exchanged", "horizontal_max(min(a, max(b, c)))").len(), 2);
    assert_eq!(
        of("constant moved", "vec4<u32>(0u, 0xffu, a.x, 64u) * 2.5"),
        [
            "vec4<u32>(1u, 0xffu, a.x, 64u) * 2.5",
            "vec4<u32>(0u, 0xffu, a.x, 65u) * 2.5",
            "vec4<u32>(0u, 0xffu, a.x, 64u) * 2.6"
        ]
    );
}
