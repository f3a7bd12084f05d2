/**
 * What all generated code that saves shares. `W` is the writer, `B`, `V`, `E` its bytes, view and length, `T` the
 * section type of nested entries, `D` the depth, `C` writes custom fields.
 */

import { f32Overflow } from "../description/index.ts";
import { nanBits } from "./byte-writer.ts";
import { referencesPrelude } from "./compile-save-references.ts";
import { entryHeaderSize, entrySizeLimit } from "./format.ts";

export const savePrelude = `
const {littleEndianBytes,isWellFormed,utf8Into,loopLimit,address,folio,mended,timeOf,isGone,isPlainCollection,jsonText,lossyText}=k0,isView=ArrayBuffer.isView;
let W,B,V,E=0,T=0,D=0,C;
function begin(){beginReferences();}
function end(){W=B=V=C=undefined;E=0;endReferences();}
function reload(){B=W.buffer;V=W.view;E=B.length;}
function grow(p,n){W.offset=p;W.reserve(n);reload();}
function entry(p,id,version){if(p+${entryHeaderSize}>E)grow(p,${entryHeaderSize});header(V,p,id,version,0);return p+${entryHeaderSize};}
function header(v,p,id,version,size){v.setInt32(p,T,true);v.setInt32(p+4,id,true);v.setInt32(p+8,version,true);v.setInt32(p+12,0,true);v.setUint32(p+16,size,true);}
function patch(start,p){const size=p-start-${entryHeaderSize};if(size>${entrySizeLimit})throw 0;V.setUint32(start+16,size,true);}
function safe(v,p,x){const high=Math.floor(x/4294967296);v.setUint32(p,x-high*4294967296,true);v.setInt32(p+4,high,true);}
function date(v,p,ms){if(ms!==ms)throw 0;safe(v,p,ms);}
function f32(v,p,x){if(typeof x!=="number")throw 0;v.setFloat32(p,x,true);if(x!==x)v.setUint32(p,${nanBits.f32},true);else if((x>=${f32Overflow}||x<=-${f32Overflow})&&x-x===0)throw 0;}
function nan64(v,p){v.setUint32(p,0,true);v.setUint32(p+4,${Number(nanBits.f64 >> 32n)},true);}
/** A length that the program gave a typed array is not believed: what stands behind the end never is its own. */
function viewed(x,max){const n=x.length;if(!isView(x)||!(n<=max)||x[n]!==undefined||(n===0?isGone(x):x[n-1]===undefined))throw 0;return n;}
function put(b,x,p,n){if(n>32){b.set(x,p);return;}for(let i=0;i<n;i++)b[p+i]=x[i];}
function raw(p,x){const n=x.length;if(p+n>E)grow(p,n);put(B,x,p,n);return p+n;}
function blob(p,count,x,n){if(p+4+n>E)grow(p,4+n);V.setUint32(p,count,true);put(B,x,p+4,n);return p+4+n;}
function text(p,s,max){
  if(typeof s!=="string")throw 0;
  const n=s.length;
  if(n>max)throw 0;
  if(p+4+n*3>E&&!roomForText(p,4+n*3))return slowText(p,s,max);
  const start=p+4;
  if(n<=loopLimit){
    const b=B;let i=0;
    for(;i+1<n;i+=2){const c=s.charCodeAt(i),d=s.charCodeAt(i+1);if((c|d)>127)break;b[start+i]=c;b[start+i+1]=d;}
    if(i+1===n){const c=s.charCodeAt(i);if(c<128)b[start+i++]=c;}
    const end=i===n?start+n:rest(b,s,i,start+i);
    if(end-start>max)throw 0;
    V.setUint32(p,end-start,true);
    return end;
  }
  const size=utf8Into(s,B,start);
  if(size!==n&&!isWellFormed(s))throw 0;
  if(size>max)throw 0;
  V.setUint32(p,size,true);
  return start+size;
}
/** UTF-8 from a character on; a surrogate that stands alone is none. */
function rest(b,s,i,p){
  for(const n=s.length;i<n;i++){
    let c=s.charCodeAt(i);
    if(c<128){b[p++]=c;continue;}
    if(c<2048){b[p]=192|c>>6;b[p+1]=128|c&63;p+=2;continue;}
    if((c&63488)!==55296){b[p]=224|c>>12;b[p+1]=128|c>>6&63;b[p+2]=128|c&63;p+=3;continue;}
    const low=++i<n?s.charCodeAt(i):0;
    if(c>56319||(low&64512)!==56320)throw 0;
    c=65536+((c&1023)<<10|low&1023);
    b[p]=240|c>>18;b[p+1]=128|c>>12&63;b[p+2]=128|c>>6&63;b[p+3]=128|c&63;p+=4;
  }
  return p;
}
function roomForText(p,n){if(W.isFixed)return false;grow(p,n);return true;}
function slowText(p,s,max){
  W.offset=p;W.u32(0);
  const size=W.utf8(s);
  if(size!==s.length&&!isWellFormed(s))throw 0;
  if(size>max)throw 0;
  W.patchU32(p,size);reload();
  return W.offset;
}
function char(s,p,size,b){
  if(typeof s!=="string"||s.length>size)throw 0;
  const n=s.length;let i=0;
  for(;i<n;i++){const c=s.charCodeAt(i);if(c>127||c===0)break;b[p+i]=c;}
  if(i<n){
    if(s.includes("\\0")||!isWellFormed(s))throw 0;
    const encoded=k0.encode(s);
    if(encoded.length>size)throw 0;
    b.set(encoded,p);i=encoded.length;
  }
  if(i<size)b.fill(0,p+i,p+size);
}
function custom(p,kind,x){W.offset=p;C(kind,x);reload();return W.offset;}
${referencesPrelude}`;
