import type { Kind } from "../description/index.ts";
import { bail } from "./compile-text.ts";

/** Statements that check a value at `p`, with nothing described inside; empty where any bytes will do. */
export function scalarCheck(kind: Kind, p: string): string {
  switch (kind.kind) {
    case "bool":
      return `if(b[${p}]>1)${bail}`;
    case "enumeration":
      return `if(v.getUint16(${p},true)>=${kind.names.length})${bail}`;
    case "u64.safe":
      return `if(v.getUint32(${p}+4,true)>2097151)${bail}`;
    case "i64.safe":
    case "deadline":
      return `checkSafe(v,${p});`;
    case "date":
      return `checkDate(v,${p});`;
    case "char":
      return `checkChar(b,${p},${kind.size});`;
    case "unused":
      return `checkZeros(b,${p},${kind.size});`;
    case "bitmap":
      return kind.count % 8 === 0
        ? ""
        : `if(b[${p}+${Math.ceil(kind.count / 8) - 1}]>>${kind.count % 8}!==0)${bail}`;
    default:
      return "";
  }
}
