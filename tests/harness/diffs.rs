//! Diffs to review.

/// A small diff with one critical finding (TLS) and one major one (swallowed error).
pub const SMALL: &str = "\
diff --git a/pay/client.py b/pay/client.py
--- a/pay/client.py
+++ b/pay/client.py
@@ -1,4 +1,7 @@
 from shop import URL, session
 
 def send(order):
-    return session.post(URL, json=order)
+    try:
+        return session.post(URL, json=order, verify=False)
+    except Exception:
+        pass
";

/// A diff of `files` files of which each has a finding.
pub fn with_findings(files: usize) -> String {
    use std::fmt::Write;
    let mut diff = String::new();
    for index in 0..files {
        write!(
            diff,
            "diff --git a/src/m{index}.py b/src/m{index}.py\n\
             --- a/src/m{index}.py\n\
             +++ b/src/m{index}.py\n\
             @@ -1,2 +1,3 @@\n \
             import requests\n\
             +page = requests.get(\"https://example.org/{index}\", verify=False)\n \
             done = True\n"
        )
        .expect("a string takes everything");
    }
    diff
}
