"""Calls of many services through the SDK, of every protocol, and by the optimised integrations: moto is the services.

Each call is a state machine of its own, so its arguments are checked when it is created.
"""
import json
import time
import unittest

import boto3

from stepfunctions import ROLE, Case, machine

# So many calls, and of these so many that fail.
CALLS, FAILURES = 60, 15


class ManyServices(Case):
    made, failed = 0, 0

    def call(self, resource, parameters):
        state = {"Type": "Task", "Resource": "arn:aws:states:::" + resource, "Parameters": parameters, "End": True}
        made = self.create("m%d" % time.monotonic_ns(), machine(Call=state))
        ManyServices.made += 1
        return self.finished(self.start(made, input='{"n": 7}'))

    def ok(self, resource, **parameters):
        described = self.call(resource, parameters)
        self.assertEqual(described["status"], "SUCCEEDED", (resource, described))
        return json.loads(described["output"])

    def fails(self, resource, error, **parameters):
        described = self.call(resource, parameters)
        self.assertEqual((described["status"], described.get("error")), ("FAILED", error), (resource, described))
        ManyServices.failed += 1
        return described["cause"]

    @classmethod
    def tearDownClass(cls):
        assert cls.made >= CALLS and cls.failed >= FAILURES, (cls.made, cls.failed)

    def test_json(self):
        self.ok("aws-sdk:ssm:putParameter", Name="/many/a", Value="ü", Type="String")
        self.assertEqual(self.ok("aws-sdk:ssm:getParameter", Name="/many/a")["Parameter"]["Value"], "ü")
        self.assertEqual(len(self.ok("aws-sdk:ssm:getParametersByPath", Path="/many")["Parameters"]), 1)
        self.fails("aws-sdk:ssm:getParameter", "Ssm.ParameterNotFoundException", Name="/none")
        key = self.ok("aws-sdk:kms:createKey", Description="many")["KeyMetadata"]["KeyId"]
        self.assertTrue(self.ok("aws-sdk:kms:describeKey", KeyId=key)["KeyMetadata"]["Enabled"])
        self.ok("aws-sdk:kms:createAlias", AliasName="alias/many", TargetKeyId=key)
        self.fails("aws-sdk:kms:describeKey", "Kms.NotFoundException", KeyId="alias/none")
        self.ok("aws-sdk:cloudwatchlogs:createLogGroup", LogGroupName="/many")
        groups = self.ok("aws-sdk:cloudwatchlogs:describeLogGroups", LogGroupNamePrefix="/many")["LogGroups"]
        self.assertEqual([group["LogGroupName"] for group in groups], ["/many"])
        self.fails("aws-sdk:cloudwatchlogs:createLogGroup", "CloudWatchLogs.ResourceAlreadyExistsException",
                   LogGroupName="/many")
        self.ok("aws-sdk:kinesis:createStream", StreamName="many", ShardCount=1)
        self.assertIn("SequenceNumber", self.ok("aws-sdk:kinesis:putRecord", StreamName="many", Data="text", PartitionKey="p"))
        self.fails("aws-sdk:kinesis:describeStream", "Kinesis.ResourceNotFoundException", StreamName="none")
        self.ok("aws-sdk:eventbridge:createEventBus", Name="many")
        self.ok("aws-sdk:eventbridge:putRule", Name="rule", EventBusName="many", EventPattern={"source": ["a"]})
        rules = self.ok("aws-sdk:eventbridge:listRules", EventBusName="many")["Rules"]
        self.assertEqual([rule["EventPattern"] for rule in rules], ['{"source":["a"]}'])
        self.ok("aws-sdk:ecr:createRepository", RepositoryName="many")
        self.assertEqual(len(self.ok("aws-sdk:ecr:describeRepositories")["Repositories"]), 1)
        self.fails("aws-sdk:ecr:describeRepositories", "Ecr.RepositoryNotFoundException", RepositoryNames=["none"])

    def test_rest_json(self):
        system = self.ok("aws-sdk:efs:createFileSystem", CreationToken="many")
        self.assertEqual(len(self.ok("aws-sdk:efs:describeFileSystems", FileSystemId=system["FileSystemId"])["FileSystems"]), 1)
        self.fails("aws-sdk:efs:describeFileSystems", "Efs.FileSystemNotFoundException", FileSystemId="fs-none")
        group = self.ok("aws-sdk:resourcegroups:createGroup", Name="many", ResourceQuery={
            "Type": "TAG_FILTERS_1_0", "Query": {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "k", "Values": ["v"]}]}})["Group"]
        self.assertEqual(group["Name"], "many")
        self.ok("aws-sdk:resourcegroups:getGroup", GroupName="many")
        self.ok("aws-sdk:glacier:createVault", AccountId="-", VaultName="many")
        vaults = self.ok("aws-sdk:glacier:listVaults", AccountId="-")["VaultList"]
        self.assertEqual([vault["VaultName"] for vault in vaults], ["many"])
        self.ok("aws-sdk:iot:createThing", ThingName="many")
        self.assertEqual(self.ok("aws-sdk:iot:describeThing", ThingName="many")["ThingName"], "many")
        self.fails("aws-sdk:iot:describeThing", "Iot.ResourceNotFoundException", ThingName="none")

    def test_rest_xml(self):
        self.ok("aws-sdk:s3:createBucket", Bucket="many-calls")
        self.ok("aws-sdk:s3:putBucketTagging", Bucket="many-calls", Tagging={"TagSet": [{"Key": "k", "Value": "v&"}]})
        self.assertEqual(self.ok("aws-sdk:s3:getBucketTagging", Bucket="many-calls")["TagSet"], [{"Key": "k", "Value": "v&"}])
        self.ok("aws-sdk:s3:headBucket", Bucket="many-calls")
        self.ok("aws-sdk:s3:putObject", Bucket="many-calls", Key="a", Body="text")
        self.ok("aws-sdk:s3:copyObject", Bucket="many-calls", Key="b", CopySource="many-calls/a")
        self.assertEqual(self.ok("aws-sdk:s3:listObjectsV2", Bucket="many-calls")["KeyCount"], 2)
        self.fails("aws-sdk:s3:getBucketTagging", "S3.NoSuchBucketException", Bucket="none-such")
        zone = self.ok("aws-sdk:route53:createHostedZone", Name="many.example", CallerReference="r")["HostedZone"]["Id"]
        zone = zone.rsplit("/", 1)[-1]
        self.assertEqual(self.ok("aws-sdk:route53:getHostedZone", Id=zone)["HostedZone"]["Name"], "many.example.")
        self.fails("aws-sdk:route53:getHostedZone", "Route53.NoSuchHostedZoneException", Id="NONE")

    def test_query_and_ec2(self):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        self.ok("aws-sdk:iam:createUser", UserName="many", Tags=[{"Key": "a", "Value": "b"}])
        self.ok("aws-sdk:iam:putUserPolicy", UserName="many", PolicyName="p", PolicyDocument=document)
        self.assertEqual(self.ok("aws-sdk:iam:listUserPolicies", UserName="many")["PolicyNames"], ["p"])
        self.fails("aws-sdk:iam:getUser", "Iam.NoSuchEntityException", UserName="none")
        self.assertEqual(self.ok("aws-sdk:sts:getCallerIdentity")["Account"], "123456789012")
        self.ok("aws-sdk:autoscaling:createLaunchConfiguration", LaunchConfigurationName="many", ImageId="ami-12c6146b",
                InstanceType="t2.micro")
        self.ok("aws-sdk:autoscaling:describeLaunchConfigurations")
        self.ok("aws-sdk:rds:describeDBInstances")
        self.fails("aws-sdk:rds:describeDBInstances", "Rds.DbInstanceNotFoundException", DbInstanceIdentifier="none")
        group = self.ok("aws-sdk:ec2:createSecurityGroup", GroupName="many", Description="d")["GroupId"]
        self.ok("aws-sdk:ec2:authorizeSecurityGroupIngress", GroupId=group, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
        found = self.ok("aws-sdk:ec2:describeSecurityGroups", GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        self.assertEqual([(rule["FromPort"], rule["ToPort"]) for rule in found], [(80, 81)])
        self.fails("aws-sdk:ec2:describeSecurityGroups", "Ec2.Ec2Exception", GroupIds=["sg-none"])

    def test_optimised(self):
        boto3.client("ecs").create_cluster(clusterName="default")
        put = self.ok("events:putEvents", Entries=[{"Source": "s", "DetailType": "d", "Detail": {"n.$": "$.n"}}])
        self.assertEqual((list(put), put["FailedEntryCount"]), (["Entries", "FailedEntryCount"], 0))
        cause = self.fails("events:putEvents", "EventBridge.FailedEntry", Entries=[{"Source": "s", "DetailType": "d", "Detail": "no"}])
        self.assertEqual(json.loads(cause)["FailedEntryCount"], 1)
        cause = self.fails("ecs:runTask", "ECS.ClientException", TaskDefinition="none", Cluster="default")
        self.assertRegex(cause, r"\(Service: AmazonECS; Status Code: 400; Error Code: ClientException; Request ID: .*; Proxy: null\)")
        self.fails("codebuild:startBuild", "Codebuild.ResourceNotFoundException", ProjectName="none")
        query = self.ok("athena:startQueryExecution", QueryString="SELECT 1")["QueryExecutionId"]
        status = self.ok("athena:getQueryExecution", QueryExecutionId=query)["QueryExecution"]
        self.assertEqual(status["Query"], "SELECT 1")
        cluster = self.ok("elasticmapreduce:createCluster", Name="many", Instances={
            "KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}, ReleaseLabel="emr-6.0.0",
            JobFlowRole="r", ServiceRole="s")
        step = self.ok("elasticmapreduce:addStep", ClusterId=cluster["ClusterId"], Step={
            "Name": "s", "HadoopJarStep": {"Jar": "j", "Args": ["a"]}})
        self.assertRegex(step["StepId"], "^s-")
        self.ok("elasticmapreduce:setClusterTerminationProtection", ClusterId=cluster["ClusterId"], TerminationProtected=False)
        self.ok("elasticmapreduce:terminateCluster", ClusterId=cluster["ClusterId"])
        made = self.ok("sagemaker:createModel", ModelName="many", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
        self.assertIn("ModelArn", made)
        application = self.ok("emr-serverless:createApplication", Name="many", ReleaseLabel="emr-6.6.0", Type="SPARK", ClientToken="t")
        self.ok("emr-serverless:stopApplication", ApplicationId=application["ApplicationId"])
        self.ok("emr-serverless:deleteApplication", ApplicationId=application["ApplicationId"])
        self.fails("emr-serverless:startApplication", "Emr-serverless.ResourceNotFoundException", ApplicationId="none")

    def test_optimised_arguments_are_checked_at_creation(self):
        place = " at /States/Call/Parameters"
        for resource, parameters, refusal in [
            ("ecs:runTask", {"Cluster": "c"}, "The field 'TaskDefinition' is required but was missing" + place),
            ("ecs:runTask", {"TaskDefinition": "t", "cluster": "c"}, 'The field "cluster" is not supported by Step Functions' + place),
            ("batch:submitJob", {"JobName": 1, "JobQueue": "q", "JobDefinition": "d"},
             "The value for the field 'JobName' must be a STRING" + place),
        ]:
            with self.subTest(refusal), self.assertRaises(self.client.exceptions.InvalidDefinition) as raised:
                self.call(resource, parameters)
            self.assertIn("SCHEMA_VALIDATION_FAILED: " + refusal, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
