// Unpacks the package's Chromium for 64-bit Linux, its fonts and its libraries into node_modules/.chromium.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "node_modules", ".chromium");
const packed = join(folder, "..", "@sparticuz", "chromium", "bin");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
process.env.TMPDIR = folder; // where the package unpacks to
const { inflate } = await import("@sparticuz/chromium");
await Promise.all(["chromium.br", "al2023.tar.br", "fonts.tar.br"].map((name) => inflate(join(packed, name))));

// The fonts are the package's alone, so that a page looks the same on every machine.
writeFileSync(
  join(folder, "fonts.conf"),
  `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${join(folder, "fonts")}</dir><cachedir>${join(folder, "cache")}</cachedir></fontconfig>
`,
);
