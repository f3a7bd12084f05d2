/**
 * Generates code that numbers the objects `ref` points to. A Map of objects costs more than writing them, so where a
 * description has a field with whole numbers, that is the key of a table of our own: its lowest bits are the slot, in
 * which the number and the object itself stand side by side, so that looking one up fetches memory once. Ids are mostly
 * dense; where slots are taken the next one is far away, and depends on the whole key. Where many have to be looked at a
 * Map takes over, and where a key turns out to be another at the end (an accessor, a hook) everything is left to the
 * reference.
 */

import { type Description, isDeprecated, isInVersion } from "../description/index.ts";
import { bail, member, type UnitText } from "./compile-text.ts";

/** What all units with references share: objects by number, the function that writes each, and their keys. */
export const referencesPrelude = `
let objects=[],bodies=[],keys=new Int32Array(1024),numbered=0,expected=0,drained=0,isDraining=false;
const checks=[],forget=[];
function beginReferences(){numbered=drained=0;isDraining=false;if(expected>0&&expected<0x1ffffff){objects=new Array(expected);bodies=new Array(expected);}}
function endReferences(){expected=numbered;if(objects.length===0)return;objects=[];bodies=[];for(const call of forget)call();forget.length=checks.length=0;
if(keys.length>1<<20)keys=new Int32Array(1024);}
function checkReferences(){for(const call of checks)call();}
function newNumber(x,body){objects[numbered]=x;bodies[numbered]=body;const n=++numbered;if(n>=keys.length)moreKeys();return n;}
function moreKeys(){const more=new Int32Array(keys.length*2);more.set(keys);keys=more;}
function newTable(length){if(length<0x1ffffff)return new Array(length).fill(undefined);const table=[];while(table.length<length)table.push(undefined);return table;}
function nextSlot(i,key,mask){return i+((Math.imul(key,-1640531527)>>>16|1)<<1)&mask;}
function drain(p){isDraining=true;while(drained<numbered){const i=drained++;p=bodies[i](objects[i],p);}isDraining=false;return p;}
`;

/** `(p, x)`: the number, and the bodies that must follow here. */
export function referenceFunction(
  text: UnitText,
  description: Description,
  versionId: number,
  bodyOf: () => string,
): string {
  return text.named(`r${text.id(description)}`, (name) => {
    const body = bodyOf();
    const key = description.fields.find(
      (field) =>
        /^([ui](16|32)|[ui]64\.safe)$/.test(field.kind.kind) &&
        isInVersion(field, versionId) &&
        !isDeprecated(field) &&
        field.conditions.length === 0,
    );
    const find = key === undefined ? byMap(name, body) : byKey(name, body, member(key.name));
    return `let ${name}_map;${find.declared}function ${name}(p,x){
if(p+4>E)grow(p,4);
if(x===null){V.setUint32(p,0,true);return p+4;}
if(typeof x!=="object")${bail}
let n;${find.code}
V.setUint32(p,n,true);p+=4;return isDraining?p:drain(p);}`;
  });
}

interface Find {
  readonly declared: string;
  /** Returns with the number of an object that has one; else gives it one. */
  readonly code: string;
}

const known = "V.setUint32(p,n,true);return p+4;";

function byMap(name: string, body: string): Find {
  const map = `${name}_map`;
  return {
    declared: "",
    code: `if(${map}===undefined){${map}=new Map();forget.push(()=>{${map}=undefined;});}
n=${map}.get(x);if(n!==undefined){${known}}n=newNumber(x,${body});${map}.set(x,n);`,
  };
}

function byKey(name: string, body: string, key: string): Find {
  const [map, table, own] = [`${name}_map`, `${name}_table`, `${name}_own`];
  const mine = (code: string) => `for(let i=1;i<=numbered;i++)if(bodies[i-1]===${body}){${code}}`;
  return {
    declared: `let ${table}=newTable(1024),${own}=0;
function ${name}_begin(){checks.push(()=>{${mine(`if((objects[i-1]${key}|0)!==keys[i])${bail}`)}});
forget.push(()=>{${map}=undefined;${own}=0;if(${table}.length>1<<20)${table}=newTable(1024);else ${table}.fill(undefined);});}
function ${name}_more(){const t=${table}=newTable(${table}.length*4),mask=t.length-2;${mine("const key=keys[i];let at=key<<1&mask;while(t[at]!==undefined)at=nextSlot(at,key,mask);t[at]=i;t[at+1]=objects[i-1];")}}
function ${name}_toMap(){${map}=new Map();${mine(`${map}.set(objects[i-1],i);`)}}
`,
    code: `if(${map}!==undefined){n=${map}.get(x);if(n!==undefined){${known}}n=newNumber(x,${body});${map}.set(x,n);keys[n]=x${key}|0;}else{
const whole=x${key};if(typeof whole!=="number")${bail}
const key=whole|0,t=${table},mask=t.length-2;let at=key<<1&mask,y=t[at+1],tries=32;
while(y!==x&&y!==undefined){at=nextSlot(at,key,mask);y=t[at+1];tries--;}
if(y===x){n=t[at];${known}}
n=newNumber(x,${body});keys[n]=key;t[at]=n;t[at+1]=x;
if(${own}++===0)${name}_begin();
if(${own}*8>t.length*3)${name}_more();
if(tries<0)${name}_toMap();}`,
  };
}
