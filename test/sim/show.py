import json,sys
c=json.load(open(sys.argv[1]));print(json.dumps(c['options']));
for f in c['faults']: print(f)
for w in c['workload']: print({k:v for k,v in w.items() if v not in (0,[])})
