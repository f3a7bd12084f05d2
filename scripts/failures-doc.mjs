// Makes docs/explanation/failures.md from test/faults/matrix.ts, as it was built: `node scripts/failures-doc.mjs`.
import { writeFileSync } from "node:fs";

const { failuresPage } = await import(new URL("../build/test/faults/matrix.js", import.meta.url));
writeFileSync(new URL("../docs/explanation/failures.md", import.meta.url), failuresPage());
