import { newHandle } from './automerge.ts'
const act = (n:number)=>n.toString(16).padStart(32,'0')
const T=(l:string,f:()=>any)=>{const t=performance.now();const c=process.cpuUsage();const r=f();const d=process.cpuUsage(c);console.log(l,(performance.now()-t).toFixed(0)+'ms cpu',((d.user+d.system)/1000).toFixed(0));return r}
const lines=(n:number,w:number,tag:string)=>Array.from({length:n},(_,i)=>`${tag} line ${i} `.padEnd(w,'.')+'\n').join('')
const text=lines(2000,50,'a')
const h=newHandle(act(1))
T('putObject',()=>h.putObject('_root','content',text)); T('commit',()=>h.commit(null,0)); const ch=T('getChanges',()=>h.getChanges([]))
const g=newHandle(act(2)); T('apply',()=>g.applyChanges(ch)); T('save',()=>g.save()); const s=g.save()
const o=g.getAll('_root','content')[0]![1] as string
T('text',()=>g.text(o))
const g2=newHandle(act(3)); T('load',()=>g2.loadIncremental(s))
T('splice all',()=>g.splice(o,0,text.length,lines(2000,50,'b'))); T('commit',()=>g.commit('x',1))
const g3=newHandle(act(4)); g3.loadIncremental(s)
T('splice insert only 100k',()=>g3.splice(o,0,0,lines(2000,50,'b')));
T('splice delete only 100k',()=>g3.splice(o,0,100000));
const g4=newHandle(act(4)); g4.loadIncremental(s)
T('2000 line splices',()=>{for(let i=0;i<2000;i++){g4.splice(o,i*51,0,'b'.repeat(50))}})
const g5=newHandle(act(5)); g5.loadIncremental(s)
T('putObject again',()=>g5.putObject('_root','content',lines(2000,50,'b')));T('commit',()=>g5.commit('x',1))
