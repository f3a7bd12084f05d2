/**
 * Generates code that numbers the objects `ref` points to. A Map of objects costs more than writing them, so where a
 * description has a field with whole numbers, that is the key of a table of our own: its lowest bits are the slot, and
 * the object itself is compared. Ids make short chains. Where chains are long a Map takes over, and where a number turns
 * out to be another at the end (an accessor, a hook) everything is left to the reference.
 */

import { type Description, isDeprecated, isInVersion } from "../description/index.ts";
import { bail, member, type UnitText } from "./compile-text.ts";

/** What all units with references share: objects by number, the function that writes each, chains and keys. */
export const referencesPrelude = `
let objects=[],bodies=[],drained=0,isDraining=false,nexts=new Int32Array(1024),hashes=new Int32Array(1024);
const checks=[],forget=[];
function beginReferences(){drained=0;isDraining=false;}
function endReferences(){if(objects.length===0)return;objects=[];bodies=[];for(const call of forget)call();forget.length=checks.length=0;
if(nexts.length>1<<20){nexts=new Int32Array(1024);hashes=new Int32Array(1024);}}
function checkReferences(){for(const call of checks)call();}
function newNumber(x,body){objects.push(x);const n=bodies.push(body);if(n>=nexts.length)moreNumbers();return n;}
function moreNumbers(){const n=new Int32Array(nexts.length*2),h=new Int32Array(nexts.length*2);n.set(nexts);h.set(hashes);nexts=n;hashes=h;}
function drain(p){isDraining=true;while(drained<bodies.length){const i=drained++;p=bodies[i](objects[i],p);}isDraining=false;return p;}
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
  const mine = (code: string) => `for(let i=1;i<=bodies.length;i++)if(bodies[i-1]===${body}){${code}}`;
  return {
    declared: `let ${table}=new Int32Array(1024),${own}=0;
function ${name}_begin(){checks.push(()=>{${mine(`if((objects[i-1]${key}|0)!==hashes[i])${bail}`)}});
forget.push(()=>{${map}=undefined;${own}=0;if(${table}.length>1<<20)${table}=new Int32Array(1024);else ${table}.fill(0);});}
function ${name}_more(){${table}=new Int32Array(${table}.length*4);const mask=${table}.length-1;${mine(`const slot=hashes[i]&mask;nexts[i]=${table}[slot];${table}[slot]=i;`)}}
function ${name}_toMap(){${map}=new Map();${mine(`${map}.set(objects[i-1],i);`)}}
`,
    code: `if(${map}!==undefined){n=${map}.get(x);if(n!==undefined){${known}}n=newNumber(x,${body});${map}.set(x,n);hashes[n]=x${key}|0;}else{
const key=x${key};if(typeof key!=="number")${bail}
n=${table}[key&${table}.length-1];let tries=32;while(n!==0&&objects[n-1]!==x){n=nexts[n];tries--;}
if(n!==0){${known}}
n=newNumber(x,${body});hashes[n]=key|0;
if(${own}++===0)${name}_begin();
if(${own}>${table}.length)${name}_more();else{const slot=key&${table}.length-1;nexts[n]=${table}[slot];${table}[slot]=n;}
if(tries<0)${name}_toMap();}`,
  };
}
