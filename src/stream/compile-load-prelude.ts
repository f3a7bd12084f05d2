/**
 * What all generated code that loads shares. `B` and `V` are the stream's bytes and view, `T` the section type of nested
 * entries, `D` the depth, `P` the place of `fill`, `A` the applier. The names that begin with `check` belong to the
 * first pass.
 */

import { entryHeaderSize } from "./format.ts";

const shortest = 24;

/** `String.fromCharCode` with as many arguments as there are characters: half the time of decoding. */
const shortCases = Array.from({ length: shortest }, (_, i) => {
  const units = Array.from({ length: i + 1 }, (_, j) => (j === 0 ? "b[s]" : `b[s+${j}]`));
  return `case ${i + 1}:return fromCharCode(${units.join(",")});`;
}).join("");

export const loadPrelude = `
const {isUtf8,textAt,charAt,bytesAt,viewAt,typedAt,blobAt,endSlab,baseOf,zeroOf,otherVersion,isPlainField,places,isDeepJson,hasHugeNumber}=k0;
const fromCharCode=String.fromCharCode,noKeys=new Map();
let customAt,customs,isZeroCopy=false;
let B,V,T=0,D=0,P=0,A,meetOne,distinct,isDraining=false,drained=0,total=0,expected=0,kinds=[],objects=[],waiting=[];
const reset=[],texts=new Array(1024).fill(""),misses=new Int32Array(256);
function begin(){isZeroCopy=A!==undefined&&A.isZeroCopy;isDraining=false;drained=total=0;if(A!==undefined&&expected>0&&expected<0x1ffffff){objects=new Array(expected);waiting=new Array(expected);}misses.fill(0);for(const call of reset)call();}
function end(){endSlab();customAt=customs=B=V=A=meetOne=distinct=undefined;expected=kinds.length;if(kinds.length>0)kinds=[];if(objects.length>0){objects=[];waiting=[];}}
function other(description,version){throw otherVersion(description,version);}
function entryEnd(p,e){const size=V.getInt32(p+16,true);if(size<0||size>e-p-${entryHeaderSize})throw 0;return p+${entryHeaderSize}+size;}
function count(p,e,max){if(e-p<4)throw 0;const n=V.getUint32(p,true);if(n>max)throw 0;return n;}
function checkCounted(p,e,max,size){const n=count(p,e,max)*size;p+=4;if(n>e-p)throw 0;return p+n;}
function isAscii(s,e){const v=V,b=B;while(e-s>=8){if(((v.getInt32(s,true)|v.getInt32(s+4,true))&-2139062144)!==0)return false;s+=8;}
  for(;s<e;s++)if(b[s]>127)return false;return true;}
function checkText(p,e,max){const n=count(p,e,max);p+=4;if(n>e-p)throw 0;if(!isAscii(p,p+n)&&!isUtf8(B,p,p+n))throw 0;return p+n;}
function checkJson(p,e,max){const end=checkText(p,e,max),b=B,s=p+4;if(isDeepJson(end-s,i=>b[s+i]))throw 0;const text=textAt(b,s,end);if(hasHugeNumber(text,JSON.parse(text)))throw 0;return end;}
function checkSafe(v,p){const high=v.getInt32(p+4,true);if(high>2097151||high<-2097152||high===-2097152&&v.getUint32(p,true)===0)throw 0;}
function checkDate(v,p){checkSafe(v,p);const ms=v.getInt32(p+4,true)*4294967296+v.getUint32(p,true);if(ms>8.64e15||ms<-8.64e15)throw 0;}
function checkChar(b,p,size){let n=0;while(n<size&&b[p+n]!==0)n++;for(let i=n;i<size;i++)if(b[p+i]!==0)throw 0;if(!isAscii(p,p+n)&&!isUtf8(b,p,p+n))throw 0;}
function checkZeros(b,p,size){for(let i=p;i<p+size;i++)if(b[i]!==0)throw 0;}
/** A custom field's value is made in the first pass, and kept by its place until the second. */
function custom(p,e,kind,isSkipped){
  if(customAt===undefined)return customs.get(p).end;
  const read=customAt(kind,p,e,isSkipped);
  if(customs===undefined)customs=new Map();
  customs.set(p,read);
  return read.end;
}
/** Where the subsections of a group's elements begin, and where the group ends, kept by its place. */
function noteColumns(start,places,end){if(customs===undefined)customs=new Map();customs.set(-1-start,{value:places,end});}
function columnsOf(start){return customs.get(-1-start).value.slice();}
function endOfGroup(start){return customs.get(-1-start).end;}
function customValue(){const {value,end}=customs.get(P);P=end;return value;}
function created(create){return A.isTrial?{}:create()??{};}
function before(preLoad,o){if(!A.isTrial)preLoad(o);}
function nothing(){}
function claim(x){return A.claims.object(x);}
function claimElements(x,size,n){return A.claims.elements(x,size,n);}
function later(load,description,o,x){A.due.push({hook:"load",description,call:()=>load(o,x)});}
function loaded(postLoad,description,o,version){A.due.push({hook:"postLoad",description,call:()=>postLoad(o,version,{carried:0})});}
function short(b,s,n){switch(n){${shortCases}}}
/** Where strings of a field hardly ever repeat, they are not looked for any more in this load. */
function text(field){
  const n=V.getUint32(P,true),s=P+4,e=s+n,b=B;P=e;
  if(n>${shortest})return textAt(b,s,e);
  if(n===0)return "";
  if(n<=16&&misses[field]<64){
    const h=b[s]*31+b[e-1]*17+b[s+(n>>1)]*7+n&1023,known=texts[h];
    if(known.length===n){let i=0;while(i<n&&known.charCodeAt(i)===b[s+i])i++;if(i===n){misses[field]-=4;return known;}}
    misses[field]++;
    if(isAscii(s,e))return texts[h]=short(b,s,n);
  }else if(isAscii(s,e))return short(b,s,n);
  return textAt(b,s,e);
}
function uniqueText(){
  const n=V.getUint32(P,true),s=P+4,e=s+n,b=B;P=e;
  if(n>${shortest}||!isAscii(s,e))return textAt(b,s,e);
  return n===0?"":short(b,s,n);
}
function blob(existing){const n=V.getUint32(P,true),s=P+4;P=s+n;return isZeroCopy?viewAt(B,s,n,existing,A):blobAt(B,s,n,existing,A);}
function bytes(b,p,size,existing){return isZeroCopy?viewAt(b,p,size,existing,A):bytesAt(b,p,size,existing,A);}
function typed(name,existing){const n=V.getUint32(P,true),x=typedAt(name,B,P+4,n,existing,A);P+=4+x.byteLength;return x;}
`;
