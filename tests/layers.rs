//! The floors of `src/`: what imports what. No circle, and `kernel/` knows no operator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file under `src/`, by its module path: `kernel::tensor`, `ops::dense`; the crate's root is the empty path.
fn modules() -> BTreeMap<String, PathBuf> {
    fn walk(folder: &Path, module: &str, found: &mut BTreeMap<String, PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let name = if module.is_empty() { stem.clone() } else { format!("{module}::{stem}") };
            if path.is_dir() {
                walk(&path, &name, found);
            } else if stem == "mod" || stem == "lib" {
                found.insert(module.to_owned(), path);
            } else {
                found.insert(name, path);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    found
}

/// The paths that a file imports from its own crate, braces written out: `kernel::tensor::Tensor`.
fn imports(text: &str, module: &str, folder: bool) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let code = code.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let end = |path: &str| path.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(path.len());
    let inline = code.split("crate::").skip(1).filter(|path| !path[end(path)..].starts_with('{'));
    let mut found: Vec<_> = inline.map(|path| path[..end(path)].trim_end_matches(':').to_owned()).collect();
    for statement in code.split(';') {
        let Some((_, path)) = statement.rsplit_once("use ") else { continue };
        let path = path.trim();
        let path = if let Some(rest) = path.strip_prefix("crate::") {
            rest.to_owned()
        } else if let Some(rest) = path.strip_prefix("super::") {
            // A file's `super` is its folder; a folder's is the one above, and no file here goes higher.
            assert!(!rest.starts_with("super::"), "{module} imports {path}");
            format!("{parent}::{rest}")
        } else if let Some(rest) = path.strip_prefix("self::").filter(|_| folder) {
            format!("{module}::{rest}")
        } else {
            continue;
        };
        let Some((prefix, names)) = path.split_once('{') else {
            found.push(path);
            continue;
        };
        let names = names.trim_end_matches('}').split(',').map(str::trim).filter(|name| !name.is_empty());
        found.extend(names.map(|name| {
            if name == "self" { prefix.trim_end_matches("::").to_owned() } else { format!("{prefix}{name}") }
        }));
    }
    found
}

/// The files that each file imports from, re-exports of the crate's root followed to where they come from.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules();
    let root = fs::read_to_string(&modules[""]).unwrap();
    let root = root.replace("pub use ", "use crate::");
    let exports: BTreeMap<_, _> =
        imports(&root, "", true).into_iter().map(|path| (path.rsplit("::").next().unwrap().to_owned(), path)).collect();
    let file_of = |path: &str| {
        let path = match (path.contains("::"), exports.get(path)) {
            (false, Some(export)) => export,
            _ => path,
        };
        let mut path = path.trim_start_matches("::");
        while !modules.contains_key(path) {
            path = path.rsplit_once("::").map_or("", |(parent, _)| parent);
        }
        path.to_owned()
    };
    let files = modules.iter().filter(|(module, _)| !module.is_empty());
    files
        .map(|(module, path)| {
            let folder = path.ends_with("mod.rs");
            let imported = imports(&fs::read_to_string(path).unwrap(), module, folder);
            let imported =
                imported.iter().map(|path| file_of(path)).filter(|file| file != module && !file.is_empty()).collect();
            (module.clone(), imported)
        })
        .collect()
}

#[test]
fn imports_are_read() {
    let edges = edges();
    assert!(edges["ops::squeeze_excite"].contains("ops::dense"), "through `super`: {:?}", edges["ops::squeeze_excite"]);
    assert!(edges["ops::squeeze_excite"].contains("kernel::tensor"), "with braces: {:?}", edges["ops::squeeze_excite"]);
    assert!(edges["ops::dense"].contains("error"), "through the root: {:?}", edges["ops::dense"]);
}

#[test]
fn no_circle_of_imports() {
    let mut edges = edges();
    // Files that import only files already taken away are taken away, until none are left or the rest is circles.
    loop {
        let gone: BTreeSet<_> = edges.iter().filter(|(_, to)| to.is_empty()).map(|(from, _)| from.clone()).collect();
        if gone.is_empty() {
            break;
        }
        edges.retain(|from, _| !gone.contains(from));
        edges.values_mut().for_each(|to| to.retain(|file| !gone.contains(file)));
    }
    edges.retain(|_, to| !to.is_empty());
    assert!(edges.is_empty(), "these files import each other in a circle, or import from one: {edges:#?}");
}

#[test]
fn what_operators_are_built_from_knows_no_operator() {
    for (from, to) in edges() {
        let vocabulary = ["color_map", "cost", "element", "error", "names", "shape", "tensor_spec"];
        let lower = from.starts_with("kernel") || vocabulary.contains(&from.as_str());
        let upper = to.iter().find(|file| {
            ["ops", "operators", "reference", "shaders", "host"].iter().any(|floor| file.starts_with(floor))
        });
        assert!(!lower || upper.is_none(), "{from} imports {upper:?}");
    }
}
