//! Writes every pipeline of the shader table for other tools: WGSL with constants, SPIR-V, GLSL, MSL and HLSL.

mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Map, Value, json};

/// Writes every pipeline that operators compile into a folder, those for tensors that share a buffer too: `table.json` with the
/// WGSL of every module and the constants of its pipelines, and each pipeline as SPIR-V (.spv), GLSL ES 3.1 (.comp, none of the
/// 16-bit ones), MSL (.metal) and HLSL (.hlsl).
#[derive(Parser)]
struct Arguments {
    folder: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { folder } = Arguments::parse();
    match write(&folder) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(1)
        }
    }
}

fn write(folder: &Path) -> Result<String, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let save = |name: &str, contents: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, contents).map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut rows = Vec::new();
    let (mut pipelines, mut in_glsl) = (0, 0);
    for module in table::modules() {
        let table::Module { label, entry_point, f16, wgsl, pipelines: of_module } = module?;
        let mut constants = Vec::new();
        for (index, pipeline) in of_module.iter().enumerate() {
            let stem = format!("{label} {index}").replace(' ', "_");
            let written = &pipeline.translations;
            save(&format!("{stem}.spv"), bytemuck::cast_slice(&written.spirv))?;
            save(&format!("{stem}.metal"), written.msl.as_bytes())?;
            save(&format!("{stem}.hlsl"), written.hlsl.as_bytes())?;
            if let Some(text) = &written.glsl {
                save(&format!("{stem}.comp"), text.as_bytes())?;
                in_glsl += 1;
            }
            pipelines += 1;
            let set = pipeline.constants.iter().map(|&(name, value)| (name.to_owned(), value.into()));
            constants.push(set.collect::<Map<String, Value>>());
        }
        rows.push(
            json!({ "label": label, "entry_point": entry_point, "f16": f16, "wgsl": wgsl, "constants": constants }),
        );
    }
    let modules = rows.len();
    save("table.json", Value::from(rows).to_string().as_bytes())?;
    Ok(format!("{pipelines} pipelines of {modules} modules, {in_glsl} of them in GLSL"))
}
