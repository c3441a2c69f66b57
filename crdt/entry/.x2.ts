import { EntryDocument, MESH_SCOPE } from './index.ts'
const sk = {kind:'skill',scope:MESH_SCOPE,key:'s'} as const
const act = (n:number)=>n.toString(16).padStart(32,'0')
const by=(nodeId:string,at:number)=>({nodeId,at})
for (const c of [[{kind:'skill',content:'X\n'},{kind:'skill',content:'X\n',path:undefined}],[{kind:'skill',content:'X\n'},{kind:'skill',content:'X\n'}]] as any)
{const a=EntryDocument.create(sk,act(1)),b=EntryDocument.create(sk,act(2));a.putDerived(c[0],by('a',1));b.putDerived(c[1],by('a',1));console.log('derived eq', a.heads, b.heads, a.history(), b.history())}
