// A node:test reporter that counts: { passed, failed, skipped: [{ name, reason }] }.

export default async function* summary(source) {
  const counts = { passed: 0, failed: 0, skipped: [] };
  for await (const { type, data } of source) {
    if (data?.details?.type === "suite") continue;
    if (type === "test:fail") counts.failed += 1;
    if (type === "test:pass") {
      if (data.skip === undefined) counts.passed += 1;
      else
        counts.skipped.push({ name: data.name, reason: data.skip === true ? "no reason given" : data.skip });
    }
  }
  yield JSON.stringify(counts);
}
