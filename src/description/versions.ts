/** The one rule about versions: a field is in a stream of version `v` exactly when `since <= v <= until`. */
export function isInVersion(
  field: { readonly since: number; readonly until: number },
  versionId: number,
): boolean {
  return field.since <= versionId && versionId <= field.until;
}

/** Which versions load accepts: `minVersionId <= v <= versionId`. */
export function isLoadable(
  description: { readonly minVersionId: number; readonly versionId: number },
  versionId: number,
): boolean {
  return description.minVersionId <= versionId && versionId <= description.versionId;
}

/** A deprecated field is not in the newest version any more. */
export function isDeprecated(field: { readonly until: number }): boolean {
  return field.until !== Number.POSITIVE_INFINITY;
}
