//! What was measured, as a table, a file of tab-separated values and a roofline plot.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use plotters::prelude::*;
use visual_attention::Cost;

use super::ceiling::Ceilings;

/// One measured row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) operator: String,
    pub(crate) case: String,
    /// "fused" for the operator itself, or the name of a baseline for the same operator and case.
    pub(crate) version: String,
    pub(crate) time: Duration,
    /// What the operator has to move and to compute, for baselines too: their rates are those of useful work.
    pub(crate) cost: Cost,
}

pub(crate) struct Report {
    /// Adapter and driver, how time is taken.
    pub(crate) heading: Vec<String>,
    pub(crate) ceilings: Ceilings,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    fn fused(&self, row: &Row) -> Option<&Row> {
        let same = |other: &&Row| other.operator == row.operator && other.case == row.case && other.version == "fused";
        self.rows.iter().find(same)
    }

    /// The row's time in relation to the operator's own.
    fn ratio(&self, row: &Row) -> Option<f64> {
        self.fused(row).map(|fused| row.time.as_secs_f64() / fused.time.as_secs_f64())
    }

    fn share(&self, row: &Row) -> f64 {
        self.ceilings.floor(row.cost).as_secs_f64() / row.time.as_secs_f64()
    }

    /// The table, for people.
    pub(crate) fn table(&self) -> String {
        let mut text = self.heading.join("\n");
        let Ceilings { bytes_per_second, flops_per_second } = self.ceilings;
        let (copied, computed) = (bytes_per_second / 1e9, flops_per_second / 1e9);
        let _ = writeln!(text, "\nceilings measured here: copy {copied:.1} GB/s, multiply-add {computed:.1} GFLOP/s\n");
        let line = |columns: [&str; 10]| {
            let [operator, case, version, median, bytes, flops, byte_rate, flop_rate, share, ratio] = columns;
            let columns = format!(
                "{operator:<17} {case:<34} {version:<13} {median:>12} {bytes:>9} {flops:>9} {byte_rate:>8} {flop_rate:>9} \
                 {share:>8} {ratio:>9}"
            );
            columns.trim_end().to_owned() + "\n"
        };
        let compares = self.rows.iter().any(|row| row.version != "fused");
        let last = if compares { "vs fused" } else { "" };
        text += &line(["operator", "case", "version", "median", "MB", "MFLOP", "GB/s", "GFLOP/s", "ceiling", last]);
        for row in &self.rows {
            let seconds = row.time.as_secs_f64();
            let (bytes, flops) = (row.cost.bytes as f64, row.cost.flops as f64);
            text += &line([
                &row.operator,
                &row.case,
                &row.version,
                &format!("{:.1} us", seconds * 1e6),
                &format!("{:.2}", bytes / 1e6),
                &format!("{:.1}", flops / 1e6),
                &format!("{:.2}", bytes / seconds / 1e9),
                &format!("{:.2}", flops / seconds / 1e9),
                &format!("{:.1}%", self.share(row) * 100.0),
                &self.ratio(row).filter(|_| compares).map_or(String::new(), |ratio| format!("{ratio:.2}x")),
            ]);
        }
        text
    }

    /// The same for programs, with the heading as comments.
    pub(crate) fn tsv(&self) -> String {
        let mut text: String = self.heading.iter().fold(String::new(), |text, line| text + "# " + line + "\n");
        let Ceilings { bytes_per_second, flops_per_second } = self.ceilings;
        let _ = writeln!(text, "# copy {bytes_per_second:.4e} B/s, multiply-add {flops_per_second:.4e} FLOP/s");
        text += "operator\tcase\tversion\tseconds\tbytes\tflops\tshare_of_ceiling\tratio_to_fused\n";
        for row in &self.rows {
            let ratio = self.ratio(row).map_or(String::new(), |ratio| format!("{ratio:.3}"));
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{:.4e}\t{}\t{}\t{:.4}\t{ratio}",
                row.operator,
                row.case,
                row.version,
                row.time.as_secs_f64(),
                row.cost.bytes,
                row.cost.flops,
                self.share(row),
            );
        }
        text
    }

    /// Writes `{stem}.tsv` and `{stem}.svg`.
    pub(crate) fn write(&self, stem: &Path) -> io::Result<()> {
        if let Some(folder) = stem.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(stem.with_extension("tsv"), self.tsv())?;
        self.plot(&stem.with_extension("svg")).map_err(|error| io::Error::other(error.to_string()))
    }

    /// Work for each byte against the rate of work, both logarithmic, under the two ceilings.
    fn plot(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let points: Vec<(f64, f64, &Row)> = self
            .rows
            .iter()
            .filter(|row| row.version == "fused" && row.cost.bytes > 0 && row.cost.flops > 0)
            .map(|row| {
                let flops = row.cost.flops as f64;
                (flops / row.cost.bytes as f64, flops / row.time.as_secs_f64() / 1e9, row)
            })
            .collect();
        let Ceilings { bytes_per_second, flops_per_second } = self.ceilings;
        let roof = |intensity: f64| (intensity * bytes_per_second).min(flops_per_second) / 1e9;
        let ridge = flops_per_second / bytes_per_second;
        let (mut left, mut right) = (ridge / 10.0, ridge * 10.0);
        let mut bottom = roof(left);
        for &(x, y, _) in &points {
            (left, right, bottom) = (left.min(x / 2.0), right.max(x * 2.0), bottom.min(y / 2.0));
        }
        let root = SVGBackend::new(path, (1100, 750)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(self.heading.first().map_or("", String::as_str), ("sans-serif", 18))
            .margin(15)
            .x_label_area_size(45)
            .y_label_area_size(75)
            .build_cartesian_2d((left..right).log_scale(), (bottom..roof(right) * 2.0).log_scale())?;
        chart.configure_mesh().x_desc("FLOP for each byte that must move").y_desc("GFLOP/s").draw()?;
        let roofline = [left, ridge, right].map(|intensity| (intensity, roof(intensity)));
        chart.draw_series(LineSeries::new(roofline, BLACK.stroke_width(2)))?.label(format!(
            "copy {:.0} GB/s, multiply-add {:.0} GFLOP/s",
            bytes_per_second / 1e9,
            flops_per_second / 1e9
        ));
        let mut operators: Vec<&str> = points.iter().map(|(_, _, row)| row.operator.as_str()).collect();
        operators.dedup();
        for (index, operator) in operators.into_iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            let own = points.iter().filter(|(_, _, row)| row.operator == operator);
            chart
                .draw_series(own.map(|&(x, y, _)| Circle::new((x, y), 4, color.filled())))?
                .label(operator)
                .legend(move |(x, y)| Circle::new((x + 10, y), 4, color.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        root.present()?;
        Ok(())
    }
}
