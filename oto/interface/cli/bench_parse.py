"""What the adapter needs to read one frame, from its bytes to a domain value."""

import statistics
import time

from oto.infrastructure.alpha.frames import parse_frame
from oto.interface.cli.output import Row

# Shapes as captured (PROTOCOL §2.2 and §2.3).
FRAMES = {
    "aggTrade": (
        b'{"stream":"alpha_373usdt@aggTrade","data":{"e":"aggTrade","E":1779369537030,'
        b'"T":1779369536868,"s":"ALPHA_373USDT","a":164916,"p":"0.22690468","q":"8237.90000000",'
        b'"f":164918,"l":164918,"m":false}}'
    ),
    "bookTicker": (
        b'{"stream":"alpha_373usdt@bookTicker","data":{"e":"bookTicker","E":1773108379067,'
        b'"T":1773108379054,"u":6663207693,"s":"ALPHA_373USDT","b":"0.22690468",'
        b'"B":"910.76000000","a":"0.22695120","A":"200.35000000"}}'
    ),
    "depth delta, 7 levels": (
        b'{"stream":"alpha_373usdt@fulldepth@500ms","data":{"e":"depthUpdate","E":1771828614381,'
        b'"T":1771828614258,"s":"ALPHA_373USDT","U":42648947917,"u":42648948229,"pu":42648947321,'
        b'"b":[["0.08513788","0.00000000"],["0.08520502","23.47000000"],'
        b'["0.08521196","320.94000000"],["0.08529880","0.00000000"],'
        b'["0.08529885","0.00000000"]],'
        b'"a":[["0.08529894","0.00000000"],["0.08529994","12.00000000"]]}}'
    ),
    "executionReport": (
        b'{"stream":"alpha@0123456789abcdef0123456789abcdef","data":{"s":"ALPHA_373USDT",'
        b'"c":"web_00000000000000000000000000000001","S":"BUY","o":"LIMIT","f":"GTC",'
        b'"q":"869.56000000","p":"0.23000000","ap":"0.226904689","P":"0","x":"TRADE",'
        b'"X":"FILLED","i":"51481849","l":"869.56000000","z":"869.56000000","L":"0.22690469",'
        b'"n":"0.08695600","N":"ALPHA_373","t":"798491","m":false,"ot":"LIMIT","st":1,'
        b'"O":1759043608334,"Z":"197.30724223","Y":"197.30724223","Q":"0","ba":"ALPHA_373",'
        b'"qa":"USDT","id":12501200714,"il":"89863105","ct":"OTO","cp":"OTO_WORKING",'
        b'"e":"executionReport","T":1759043609181,"u":1759043609181,"E":1759043609340}}'
    ),
}


def parse_costs(repeats: int, frames: int) -> list[Row]:
    """Read each frame so many times per repeat; tell the median repeat and the outermost ones."""
    return [_cost(name, raw, repeats, frames) for name, raw in FRAMES.items()]


def _cost(name: str, raw: bytes, repeats: int, frames: int) -> Row:
    _repeat_us(raw, frames)  # the first one warms caches up
    taken = [_repeat_us(raw, frames) for _ in range(repeats)]
    median = statistics.median(taken)
    return {
        "frame": name,
        "bytes": len(raw),
        "median_us": round(median, 2),
        "least_us": round(min(taken), 2),
        "most_us": round(max(taken), 2),
        "frames_per_s": round(1_000_000 / median),
    }


def _repeat_us(raw: bytes, frames: int) -> float:
    began = time.perf_counter_ns()
    for _ in range(frames):
        parse_frame(raw)
    return (time.perf_counter_ns() - began) / 1000 / frames
