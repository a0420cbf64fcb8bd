// The style sheet of the live page: colours of the reports, and orange against blue, told apart with every common colour
// blindness, for and against the positive class.
export const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ground:#f4f5f7;--ink:#1c2026;--soft:#5a626d;--line:#dfe3e8;--track:#d3d8df;
--towards:#d55e00;--away:#0072b2}
@media(prefers-color-scheme:dark){:root{--paper:#181b20;--ground:#101216;--ink:#e8eaed;--soft:#a3abb6;--line:#30353d;
--track:#414851;--towards:#f0883e;--away:#58a6e8}}
*{box-sizing:border-box}
html{scroll-padding:120px 0 20px}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1020px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 12px}
h2{font-size:1.25rem;margin:36px 0 8px}
h1,dd,.answer,#case{overflow-wrap:anywhere}
p{max-width:72ch;text-wrap:pretty;margin:0 0 20px}
[hidden]{display:none!important}
.card,.facts{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:16px 20px;margin:0 0 14px}
#problem{background:var(--paper);border:1px solid var(--line);border-left:4px solid var(--towards);border-radius:10px;padding:14px 18px}
data,.value,.sum,#time,#first{font-variant-numeric:tabular-nums}
button{font:inherit;font-size:.925rem;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:7px;
padding:6px 14px;cursor:pointer}
button:hover:enabled{border-color:var(--soft)}
button:disabled{color:var(--soft);opacity:.55;cursor:default}
:focus-visible{outline:2px solid var(--away);outline-offset:2px}

.answer{position:sticky;top:0;z-index:1;display:grid;grid-template-columns:minmax(12rem,auto) 1fr;gap:8px 36px;align-items:end}
.percent{margin:0;display:flex;flex-direction:column}
.percent data{font-size:2.5rem;line-height:1.1;font-weight:650;letter-spacing:-.02em;white-space:nowrap}
.percent span{font-size:.8125rem}
.percent span,.scale p{color:var(--soft)}
.scale p{display:flex;justify-content:space-between;gap:16px;max-width:none;margin:5px 0 0;font-size:.8125rem;line-height:1.2}
.meter{position:relative;height:10px;border-radius:5px;overflow:hidden;background:var(--track)}
.meter div{height:100%;background:var(--towards)}
.meter::after{content:"";position:absolute;inset:0 calc(50% - 1px);background:var(--ink)}

.controls{display:flex;flex-wrap:wrap;gap:8px;align-items:center}
.controls p{margin:0 0 0 8px;font-size:.925rem}
.sum{display:flex;gap:44px;margin:18px 0 6px}
.sum div{position:relative;display:flex;flex-direction:column}
.sum dt{order:1;color:var(--soft);font-size:.8125rem;line-height:1.3}
.sum dd{margin:0;font-size:1.375rem;font-weight:600;line-height:1.25;white-space:nowrap}
.sum div+div::before{content:"+";position:absolute;left:-27px;top:0;font-size:1.375rem;line-height:1.25;color:var(--soft)}
.sum div:nth-child(3)::before{content:"="}
.about div:nth-child(3)::before{content:"≈"}
.sum .time{margin-left:auto;text-align:right}
.sum .time::before{content:none}
.note{margin:0;font-size:.8125rem;color:var(--soft)}

.head,.features li{display:grid;grid-template-columns:minmax(0,12.5rem) minmax(0,13rem) 4.5rem minmax(0,1fr) 3.6rem;gap:14px;align-items:center}
.head{color:var(--soft);font-size:.8125rem;padding-bottom:4px}
.head :nth-child(2){grid-column:2/4}
.sides{display:flex;justify-content:space-between;gap:12px;grid-column:4}
.sides span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.sides span:first-child::before{content:"← "}
.sides span:last-child::after{content:" →"}
.features ol{list-style:none;margin:0;padding:0}
.features li{min-height:36px;border-top:1px solid var(--line)}
.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.value{justify-self:end;white-space:nowrap}
.features data{text-align:right;font-weight:550}
.wide .name{grid-column:1/4}
.wide:last-child .name{color:var(--soft)}
.features .note{margin-top:12px;max-width:none}
.features button{margin-top:12px}
.bar{position:relative;height:36px;background:linear-gradient(var(--soft),var(--soft)) 50%/1px 100% no-repeat}
.bar div{position:absolute;top:10px;height:16px}
.towards{left:50%;background:var(--towards);border-radius:0 3px 3px 0}
.away{right:50%;background:var(--away);border-radius:3px 0 0 3px}

input{appearance:none;border-radius:6px;width:100%;height:24px;margin:0;cursor:pointer;
background:linear-gradient(var(--soft),var(--soft)) calc(7px + var(--mean)*(100% - 14px)) 50%/2px 14px no-repeat}
input:disabled{opacity:.4;cursor:default}
input::-webkit-slider-runnable-track{height:16px;background:linear-gradient(var(--track),var(--track)) 50%/100% 4px no-repeat}
input::-moz-range-track{height:4px;border-radius:2px;background:var(--track)}
input::-webkit-slider-thumb{appearance:none;width:16px;height:16px;border-radius:50%;background:var(--paper);border:2px solid var(--ink)}
input::-moz-range-thumb{box-sizing:border-box;width:16px;height:16px;border-radius:50%;background:var(--paper);border:2px solid var(--ink)}

.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(380px,100%),1fr));column-gap:40px;padding:8px 20px}
.facts div{display:flex;gap:16px;justify-content:space-between;padding:6px 0;font-size:.925rem}
.facts dt{color:var(--soft);white-space:nowrap}
.facts dd{margin:0;text-align:right}

@media(max-width:760px){
main{padding:20px 12px 48px}
h1{font-size:1.375rem}
.card,.facts{padding:12px 14px}
.answer{grid-template-columns:1fr}
.percent{flex-direction:row-reverse;justify-content:flex-end;align-items:baseline;gap:10px}
.percent data{font-size:2rem}
.controls p{margin:4px 0 0;width:100%}
.sum{display:grid;grid-template-columns:auto auto auto;justify-content:space-between;gap:6px 30px}
.sum .time{flex-direction:row-reverse;gap:8px;align-items:baseline;margin:0;grid-column:1/-1;justify-content:flex-end}
.sum div+div::before{left:-21px;font-size:1.125rem;line-height:1.4}
.sum dd{font-size:1.0625rem;line-height:1.4}
.head{display:block}
.head>:not(.sides){display:none}
.sides{justify-content:flex-end;gap:24px}
.features li{grid-template-columns:minmax(0,1fr) minmax(0,1fr) 4.3rem;gap:0 12px;padding:6px 0 2px}
.name{grid-area:1/1/2/3}
.value{grid-area:1/3}
.features input{grid-area:2/1}
.bar{grid-area:2/2;height:30px}
.bar div{top:8px;height:14px}
.features data{grid-area:2/3}
.wide .name{grid-area:2/1}
#pairs .name{grid-area:1/1/2/4}
#pairs .bar{grid-area:2/1/3/3}
}
@media print{body{background:none}.answer{position:static}}
`;
