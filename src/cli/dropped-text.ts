/** A line about connections that were given up for an update or a suspend; none if there were none. */
export function droppedText({ droppedConnections = 0 }: { readonly droppedConnections?: number }): string[] {
  return droppedConnections === 0
    ? []
    : [`CLOSED: ${droppedConnections} connections that waited for their clients`];
}
