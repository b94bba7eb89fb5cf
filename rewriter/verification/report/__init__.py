"""A verification, told in different forms: terminal, HTML, JUnit; JSON is `VerificationReport.to_json`."""
