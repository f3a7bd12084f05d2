/**
 * Generates code that fills a list of plain records in one go. An object is filled for one place only, but asking a Set
 * whether it was met before costs more than filling it. Two ways do without:
 *
 * - By place. A number that the objects hold is their key: whoever comes with a number that was written before is
 *   compared with the object that got it. As long as the numbers rise, its place is found in the stream, then in a
 *   table. It is done only where numbers go along with the list, as ids do; a few are looked at beforehand.
 * - By mark. Each object first gets its index in a numeric field, which is overwritten anyway; whoever does not have his
 *   own index when his turn comes stands again further on. It is done only where that field is no accessor of a class.
 *
 * From the first object on that is not certain, the Set is asked: also where an object does not have the number yet, since
 * it may be a registered one.
 */

import { type FieldModel, isDeprecated, isInVersion, type Kind } from "../description/index.ts";
import { at, member, type UnitText } from "./compile-text.ts";
import { placesLimit } from "./places.ts";

export interface MarkedList {
  readonly fields: readonly FieldModel[];
  readonly versionId: number;
  /** Names of variables: the list, its new length, the index, the place in the stream. */
  readonly list: string;
  readonly n: string;
  readonly i: string;
  readonly p: string;
  /** Bytes of a record. */
  readonly size: number;
  readonly offsetOf: (field: FieldModel) => number;
  /** An expression for a field's value in the stream. */
  readonly scalar: (kind: Kind, p: string) => string;
  /** Statements that fill an object. */
  readonly into: (y: string) => string;
}

/** Statements that fill as many objects as are certain and leave the index behind them; undefined if there is no way. */
export function markedFill(text: UnitText, marked: MarkedList): string | undefined {
  const { fields, versionId } = marked;
  const isCandidate = (field: FieldModel) =>
    isInVersion(field, versionId) && !isDeprecated(field) && isNumeric(field.kind);
  const mark = fields.find(isCandidate);
  if (mark === undefined) return undefined;
  const key = fields.find((field) => isCandidate(field) && isKey(field.kind));
  const byMark = markFill(text, marked, mark);
  if (key === undefined) return byMark;
  const { n, list, p } = marked;
  const c = text.fresh("c");
  const test = localFunction(text, marked, key);
  return `let ${c}=Math.min(${n},${list}.length);if(${c}>=8&&${c}<${placesLimit}&&A.claims.mayMark(${list},${JSON.stringify(key.name)})&&${test}(v,${p},${c})){${placeFill(text, marked, key, c)}}else{${byMark}}`;
}

/** While the stream's numbers rise, where one was written is found in the stream itself; then by the table. */
function placeFill(text: UnitText, marked: MarkedList, key: FieldModel, c: string): string {
  const { list, i, p, size, into, offsetOf, scalar } = marked;
  const m = member(key.name);
  const [y, old, k, tries, slot, now, last, start, base] = "y o j n s w l q g"
    .split(" ")
    .map((prefix) => text.fresh(prefix)) as [string, ...string[]];
  const valueAt = (place: string) => scalar(key.kind, at(place, offsetOf(key)));
  const next = `const ${y}=${list}[${i}];if(typeof ${y}!=="object"||${y}===null)break;const ${old}=${y}${m},${now}=${valueAt(p)};if(typeof ${old}!=="number")break;`;
  const fill = `${into(y)}${p}+=${size};`;
  const isOther = `if(${y}${m}!==${now}){${i}++;${c}=0;break;}`;
  const find = findFunction(text, marked, key);
  return `A.claims.marked.push({list:${list},count:${c}});const ${start}=${p};let ${last}=-Infinity,${base}=${valueAt(p)};
for(;${i}<${c};${i}++){${next}if(!(${now}>${last}))break;
if(${old}<=${last}){let ${k}=${old}-${base};if(!(${k}>=0&&${k}<${i}&&${valueAt(`${start}+${k}*${size}`)}===${old})){${k}=${find}(v,${start},${i},${old});${base}=${old}-${k};}if(${list}[${k}]===${y}){${c}=0;break;}}
${last}=${now};${fill}${isOther}}
if(${i}<${c}){const mask=places.begin(${c}),table=places.table,next=places.next;
for(let ${k}=0,q=${start};${k}<${i};${k}++,q+=${size}){const ${slot}=${valueAt("q")}&mask;next[${k}]=table[${slot}];table[${slot}]=${k}+1;}
for(;${i}<${c};${i}++){${next}
{let ${k}=table[${old}&mask],${tries}=8;while(${k}!==0&&${list}[${k}-1]!==${y}&&--${tries}>0)${k}=next[${k}-1];if(${k}!==0)break;}
const ${slot}=${now}&mask;${fill}next[${i}]=table[${slot}];table[${slot}]=${i}+1;${isOther}}
places.end();}
A.claims.marked.at(-1).count=${i};`;
}

/** `(v, p, n, x)`: the place of the number among `n` that rise, or of one near it. */
function findFunction(
  text: UnitText,
  { fields, size, offsetOf, scalar }: MarkedList,
  key: FieldModel,
): string {
  return text.named(`w${text.id(fields)}`, (name) => {
    return `function ${name}(v,p,n,x){let low=0,high=n-1;while(low<high){const middle=low+high>>>1,q=p+middle*${size};if(${scalar(key.kind, at("q", offsetOf(key)))}<x)low=middle+1;else high=middle;}return low;}`;
  });
}

/** Whether neighbours' numbers differ, and not by much, as far as a few of them show. */
function localFunction(
  text: UnitText,
  { fields, size, offsetOf, scalar }: MarkedList,
  key: FieldModel,
): string {
  return text.named(`l${text.id(fields)}`, (name) => {
    const value = (p: string) => scalar(key.kind, at(p, offsetOf(key)));
    return `function ${name}(v,p,c){const samples=c<64?c-1:32,step=Math.floor((c-1)/samples);let near=0;
for(let i=0;i<samples;i++){const q=p+i*step*${size},d=${value(`q+${size}`)}-(${value("q")});if(d!==0&&d<64&&d>-64)near++;}
return near*4>=samples*3;}`;
  });
}

function markFill(
  text: UnitText,
  { fields, list, n, i, p, size, into }: MarkedList,
  mark: FieldModel,
): string {
  const [known, y] = [text.fresh("n"), text.fresh()];
  return `const ${known}=${markFunction(text, fields, mark.name)}(${list},${n});for(;${i}<${known};${i}++){const ${y}=${list}[${i}];
if(${y}${member(mark.name)}!==${i}){A.claims.marked.at(-1).count=${i};break;}${into(y)}${p}+=${size};}`;
}

/** Gives how many objects were marked: all that there are, or none. */
function markFunction(text: UnitText, fields: readonly FieldModel[], name: string): string {
  return text.named(`m${text.id(fields)}`, (fn) => {
    return `function ${fn}(x,n){const c=n<x.length?n:x.length;if(c<8||!A.claims.mayMark(x,${JSON.stringify(name)}))return 0;let known=Object.prototype;
for(let i=0;i<c;i++){const y=x[i];if(typeof y!=="object"||y===null)return 0;const prototype=Object.getPrototypeOf(y);
if(prototype!==known){if(!isPlainField(prototype,${JSON.stringify(name)}))return 0;known=prototype;}
if(y${member(name)}===undefined)return 0;y${member(name)}=i;}
A.claims.marked.push({list:x,count:c});return c;}`;
  });
}

function isNumeric({ kind }: Kind): boolean {
  return /^([ui](8|16|32)|[ui]64\.safe|f32|f64)$/.test(kind);
}

/** Numbers that may go along with a list. */
function isKey({ kind }: Kind): boolean {
  return /^([ui](16|32)|[ui]64\.safe)$/.test(kind);
}
