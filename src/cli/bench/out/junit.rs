//! The file of `--junit`: a test case for each condition, as Jenkins and GitLab read it.

use super::conditions::judge;
use super::words;
use super::xml::escape;
use crate::cli::bench::summary::Summary;
use crate::config::bench_args::Condition;
use std::fmt::Write;

/// The whole file. Without conditions it has one case, which fails if no request has ended well.
pub fn text(conditions: &[Condition], summary: &Summary) -> String {
    let mut cases: Vec<(&str, Result<String, String>)> =
        conditions.iter().map(|condition| (condition.text.as_str(), judge(condition, summary))).collect();
    if cases.is_empty() {
        let said = format!("{} have ended well, {} have failed", summary.succeeded, summary.failed());
        cases.push(("run", if summary.succeeded > 0 { Ok(said) } else { Err(said) }));
    }
    let (tests, failures) = (cases.len(), cases.iter().filter(|(_, said)| said.is_err()).count());
    let (seconds, class) = (words::number(summary.took.as_secs_f64(), 3), escape(&summary.url));
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds}\"");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"squall bench\" {counts}>\n  \
         <testsuite name=\"squall bench\" {counts} skipped=\"0\">\n"
    );
    for (name, said) in cases {
        let name = escape(name);
        let start = format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{seconds}\">\n");
        // A String takes everything.
        let _ = match said {
            Ok(said) => writeln!(out, "{start}      <system-out>{}</system-out>\n    </testcase>", escape(&said)),
            Err(said) => writeln!(
                out,
                "{start}      <failure type=\"fail-if\" message=\"{said}\">{name}: {said}</failure>\n    \
                 </testcase>",
                said = escape(&said)
            ),
        };
    }
    out + "  </testsuite>\n</testsuites>\n"
}

#[cfg(test)]
mod tests {
    use super::super::samples::{condition, loaded, silent};
    use super::*;

    #[test]
    fn each_condition_is_a_test_case() {
        let conditions = ["p99>20ms", "errors>5%"].map(condition);
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="squall bench" tests="2" failures="1" errors="0" time="10">
  <testsuite name="squall bench" tests="2" failures="1" errors="0" time="10" skipped="0">
    <testcase classname="http://a.test:8888/b?c=1&amp;d=&quot;&lt;2&gt;&quot;" name="p99&gt;20ms" time="10">
      <failure type="fail-if" message="p99 is 31.199 ms">p99&gt;20ms: p99 is 31.199 ms</failure>
    </testcase>
    <testcase classname="http://a.test:8888/b?c=1&amp;d=&quot;&lt;2&gt;&quot;" name="errors&gt;5%" time="10">
      <system-out>errors is 1 %</system-out>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(text(&conditions, &loaded()), expected);
    }

    #[test]
    fn a_run_without_conditions_is_one_case() {
        let well = text(&[], &loaded());
        assert!(well.contains("tests=\"1\" failures=\"0\""), "{well}");
        assert!(well.contains("<system-out>990 have ended well, 10 have failed</system-out>"), "{well}");
        let badly = text(&[], &silent());
        assert!(badly.contains("tests=\"1\" failures=\"1\""), "{badly}");
        assert!(badly.contains("<failure type=\"fail-if\" message=\"0 have ended well, 0 have failed\">"), "{badly}");
    }
}
