"""Put files where the vendor can fetch them, and take them away again."""
