import { newHandle } from './automerge.ts'
const act = (n:number)=>n.toString(16).padStart(32,'0')
const T=(l:string,f:()=>any)=>{const t=performance.now();const c=process.cpuUsage();let r;try{r=f()}catch(e:any){r="THROWS "+e};const d=process.cpuUsage(c);console.log(l,(performance.now()-t).toFixed(0)+"ms cpu",((d.user+d.system)/1000).toFixed(0));return r}
const lines=(n:number,w:number,tag:string)=>Array.from({length:n},(_,i)=>`${tag} line ${i} `.padEnd(w,'.')+'\n')
for (const n of [2000,20000]) {
const h=newHandle(act(1))
T(n+' putObject list',()=>h.putObject('_root','content',lines(n,50,'a'))); T('commit',()=>h.commit(null,0)); const ch=T('getChanges',()=>h.getChanges([]))
const g=newHandle(act(2)); T('apply',()=>g.applyChanges(ch)); const s=T('save',()=>g.save()); console.log(s.length)
const o=g.getAll('_root','content')[0]![1] as string
T('materialize',()=>(g.materialize(o) as string[]).join('').length)
console.log(typeof (g.materialize(o) as any)[0], g.getWithType(o,0))
T('load',()=>newHandle(act(3)).loadIncremental(s))
T('splice all',()=>g.splice(o,0,n,lines(n,50,'b'))); T('commit',()=>g.commit('x',1)); console.log(g.length(o), g.getWithType(o,0))
const g4=newHandle(act(4)); g4.loadIncremental(s)
T('half: single splices',()=>{for(let i=0;i<n;i+=2){g4.splice(o,i,1,[lines(1,50,'c')[0]])}})
console.log(g4.getWithType(o,0), g4.getWithType(o,1))
}
