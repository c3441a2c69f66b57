import { newHandle } from './automerge.ts'
import { EntryDocument, MESH_SCOPE, isFirstChange, firstChange, inspectChange } from './index.ts'
const mem = {kind:'memory',scope:MESH_SCOPE,key:'k'} as const
const sk = {kind:'skill',scope:MESH_SCOPE,key:'s'} as const
const act = (n:number)=>n.toString(16).padStart(32,'0')
const by=(nodeId:string,at:number)=>({nodeId,at})
const T=(l:string,f:()=>any)=>{const t=performance.now();const c=process.cpuUsage();let r;try{r=f()}catch(e:any){r="THROWS "+e};const d=process.cpuUsage(c);console.log(l,(performance.now()-t).toFixed(0)+"ms cpu",((d.user+d.system)/1000).toFixed(0),r??"")}
const lines=(n:number,w:number,tag:string)=>Array.from({length:n},(_,i)=>`${tag} line ${i} `.padEnd(w,'.')+'\n').join('')
const skill=(content:string)=>({kind:'skill',content} as const)
for (const [n,w] of [[2000,50],[20000,50],[4000,25],[100000,5],[1,100000],[1,1000000]] as const){
 console.log('--',n,'lines of',w)
 const a=EntryDocument.create(sk,act(1))
 T('create',()=>{a.put(skill(lines(n,w,'a')),by('a',1))})
 T('rewrite all',()=>{a.put(skill(lines(n,w,'b')),by('a',2))})
 T('half lines',()=>{a.put(skill(lines(n,w,'b').split('\n').map((l,i)=>i%2?l:l+'x').join('\n')),by('a',3))})
 T('save',()=>a.save().length); T('view',()=>a.view().row&&1); const s=a.save(); T('load',()=>{EntryDocument.load(sk,s,act(2))}); a.free()
}
{const v=Object.fromEntries(Array.from({length:15000},(_,i)=>['m'+i,i]));const a=EntryDocument.create(mem,act(1));console.log(JSON.stringify(v).length)
T('30k put',()=>{a.put({kind:'memory',value:v},by('a',1))});T('equal put',()=>{a.put({kind:'memory',value:v},by('a',1))});T('one',()=>{a.put({kind:'memory',value:{...v,m5:'x'}},by('a',1))});T('view',()=>{a.view()});T('conflicts',()=>{a.conflicts()});T('history',()=>a.history().length)
const b=EntryDocument.create(mem,act(2));b.put({kind:'memory',value:Object.fromEntries(Object.keys(v).map(k=>[k,'y']))},by('b',1));T('merge',()=>{a.apply(b.changesSince([]))});T('conflicts',()=>a.conflicts().length)}
{let v:any=1;for(let i=0;i<64;i++)v={['k'.repeat(60)]:v,z:1};const a=EntryDocument.create(mem,act(1));T('deep 64',()=>{a.put({kind:'memory',value:v},by('a',1))});T('view',()=>{a.view()})}
{const a=EntryDocument.create(mem,act(1));T('1000 puts',()=>{for(let i=0;i<1000;i++)a.put({kind:'memory',value:{i}},by('a',i))});T('history',()=>a.history().length);T('said',()=>a.conflicts())}
