"""Colors and sizes of the page; text on its ground has a contrast of at least 4.5 in both."""

from __future__ import annotations

from typing import Final

from tb_convergence.cli.drawing import svg

STYLE: Final = (
    """
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--ink:#1d2127;--soft:#59626e;
--grid:#e6e8ec;--border:#dcdfe4;--critical:#b3093c;--warning:#8a4b00;--info:#0a558c;
--healthy:#176a3a;--link:#0b57d0}
@media (prefers-color-scheme:dark){:root{--page:#1f2023;--border:#41454b;--info:#93cbff;
--healthy:#86dba9;--link:#9cc3ff;"""
    + svg.DARK
    + """}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:anywhere;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,sans-serif}
main{max-width:860px;margin:0 auto;padding:16px}
h1{font-size:24px;margin:8px 0}h2{font-size:19px;margin:32px 0 8px}
h3{font-size:16px;margin:0}h4{font-size:14px;margin:12px 0 0}
small,.about{color:var(--soft);font-weight:400;font-size:13px}
p{margin:6px 0}ul{margin:4px 0;padding-left:22px}
a{color:var(--link)}
code{font:13px ui-monospace,Menlo,Consolas,"Liberation Mono",monospace}
pre{font:13px ui-monospace,Menlo,Consolas,"Liberation Mono",monospace;white-space:pre-wrap;
margin:6px 0;padding:8px 12px;background:var(--page);border-radius:8px}
article,figure,table{background:var(--card);border:1px solid var(--border);border-radius:8px}
article{padding:12px 16px;margin:12px 0;border-left-width:5px}
article.critical{border-left-color:var(--critical)}
article.warning{border-left-color:var(--warning)}
article.info{border-left-color:var(--info)}
.critical>h3,span.critical{color:var(--critical)}.warning>h3,span.warning{color:var(--warning)}
.info>h3,span.info{color:var(--info)}.healthy{color:var(--healthy)}
figure{margin:12px 0;padding:4px;width:max-content;max-width:100%}
figure svg{display:block;max-width:100%;height:auto}
table{border-collapse:collapse;width:100%;margin:8px 0;font-size:14px}
th,td{text-align:left;padding:5px 10px;border-bottom:1px solid var(--border);vertical-align:top}
th{color:var(--soft);font-weight:600}.number{text-align:right;font-variant-numeric:tabular-nums}
details{margin:8px 0}summary{cursor:pointer;color:var(--soft)}
@media print{body{background:none}}
"""
    + svg.STYLE
)
