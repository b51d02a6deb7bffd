"""Asks a Verdict server in Python: by stubs generated from proto/, and by reflection. Prints one JSON line each.

usage: client.py HOST:PORT PROTO_DIR
"""

import json
import sys
import tempfile


def skip(cause):
    print(f"skipped: {cause}")
    sys.exit(0)


try:
    import grpc
    import grpc_tools
    from google.protobuf import descriptor_pool, json_format, message_factory
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
    from grpc_tools import protoc
except ImportError as error:
    skip(error)

QUESTIONS = [
    {"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"},
     "resource": {"type": "document", "id": "handbook", "properties": {"tags": ["a", 1, None]}}},
    {"subject": {"type": "user", "id": "bob"}, "action": {"name": "delete"},
     "resource": {"type": "document", "id": "handbook"}},
]


def tell(way, verdict):
    print(json.dumps({
        "way": way,
        "effect": verdict["effect"],
        "codes": [reason["code"] for reason in verdict.get("reasons", [])],
        "digest": verdict["revision"]["digest"],
        "decision_id": verdict["decisionId"],
    }))


def by_stubs(channel, proto):
    with tempfile.TemporaryDirectory() as out:
        names = ["query", "verdict", "decision_service"]
        files = [f"verdict/v1/{name}.proto" for name in names]
        well_known = f"{grpc_tools.__path__[0]}/_proto"
        status = protoc.main(["protoc", f"-I{proto}", f"-I{well_known}", f"--python_out={out}",
                              f"--grpc_python_out={out}", *files])
        if status != 0:
            sys.exit(f"protoc ended with {status}")
        sys.path.insert(0, out)
        from verdict.v1 import decision_service_pb2, decision_service_pb2_grpc

        stub = decision_service_pb2_grpc.DecisionServiceStub(channel)
        for question in QUESTIONS:
            request = json_format.ParseDict(question, decision_service_pb2.CheckRequest())
            tell("stubs", json_format.MessageToDict(stub.Check(request, timeout=20).verdict))
        try:
            stub.Check(decision_service_pb2.CheckRequest(), timeout=20)
            sys.exit("an empty question was answered")
        except grpc.RpcError as error:
            print(json.dumps({"way": "error", "code": error.code().name}))


def by_reflection(channel):
    # A pool of its own: nothing of the generated stubs is in it.
    database = ProtoReflectionDescriptorDatabase(channel)
    services = database.get_services()
    if "verdict.v1.DecisionService" not in services:
        sys.exit(f"reflection lists {services}")
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("verdict.v1.DecisionService").FindMethodByName("Check")
    request_type = message_factory.GetMessageClass(method.input_type)
    response_type = message_factory.GetMessageClass(method.output_type)
    check = channel.unary_unary("/verdict.v1.DecisionService/Check",
                                request_serializer=request_type.SerializeToString,
                                response_deserializer=response_type.FromString)
    for question in QUESTIONS:
        request = json_format.ParseDict(question, request_type(), descriptor_pool=pool)
        tell("reflection", json_format.MessageToDict(check(request, timeout=20).verdict, descriptor_pool=pool))


def main():
    address, proto = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        by_stubs(channel, proto)
        by_reflection(channel)


main()
